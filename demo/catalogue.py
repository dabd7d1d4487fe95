"""What the fictional shop sells and who sells it: categories, products and sellers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from demo.places import UNITS, Places

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

UNKNOWN = -1  # product without a category


@dataclass(frozen=True)
class Category:
    """One category; prices are log-normal.

    Attributes
    ----------
    name, english
        Raw name and its translation; an empty translation means the translation file forgets the category.
    share
        Relative number of orders.
    price, spread
        Median price in reais and standard deviation of its logarithm.
    weight
        Median weight in grams.
    loyalty
        Factor on the rate at which buyers of this category order again.
    """

    name: str
    english: str
    share: float
    price: float
    spread: float
    weight: int
    loyalty: float


CATEGORIES = (
    Category("beleza_saude", "health_beauty", 9.0, 72, 0.85, 450, 1.6),
    Category("cama_mesa_banho", "bed_bath_table", 9.2, 84, 0.65, 1600, 1.2),
    Category("esporte_lazer", "sports_leisure", 8.0, 88, 0.80, 1100, 1.0),
    Category("moveis_decoracao", "furniture_decor", 7.2, 79, 0.75, 3200, 0.8),
    Category("informatica_acessorios", "computers_accessories", 7.0, 94, 0.85, 700, 0.8),
    Category("utilidades_domesticas", "housewares", 6.3, 62, 0.85, 1900, 1.1),
    Category("relogios_presentes", "watches_gifts", 5.2, 139, 0.80, 350, 0.7),
    Category("telefonia", "telephony", 4.3, 42, 0.90, 250, 0.7),
    Category("ferramentas_jardim", "garden_tools", 3.8, 69, 0.75, 2000, 0.9),
    Category("automotivo", "auto", 3.8, 92, 0.95, 1500, 0.8),
    Category("brinquedos", "toys", 3.7, 86, 0.75, 1100, 1.0),
    Category("perfumaria", "perfumery", 3.3, 89, 0.80, 400, 1.5),
    Category("bebes", "baby", 3.1, 81, 0.85, 1700, 1.5),
    Category("eletronicos", "electronics", 2.7, 49, 0.95, 600, 0.7),
    Category("papelaria", "stationery", 2.5, 58, 0.75, 900, 1.2),
    Category("pet_shop", "pet_shop", 2.4, 77, 0.75, 2100, 1.9),
    Category("bolsas_acessorios", "bags_accessories", 2.1, 59, 0.70, 450, 1.0),
    Category("moveis_escritorio", "office_furniture", 1.7, 168, 0.50, 9500, 0.6),
    Category("jogos_consoles", "games_consoles", 1.3, 74, 0.95, 500, 0.9),
    Category("malas_viagem", "luggage", 1.1, 112, 0.70, 3400, 0.6),
    Category("material_construcao", "building_materials", 1.6, 91, 0.95, 2600, 0.8),
    Category("eletrodomesticos", "home_appliances", 1.1, 214, 0.95, 7200, 0.6),
    Category("eletroportateis", "small_appliances", 1.0, 129, 0.90, 2900, 0.7),
    Category("instrumentos_musicais", "musical_instruments", 0.8, 134, 1.00, 2800, 0.7),
    Category("livros", "books", 1.3, 46, 0.60, 500, 1.5),
    Category("alimentos", "food", 1.1, 48, 0.55, 1400, 1.9),
    Category("bebidas", "drinks", 0.7, 57, 0.65, 2600, 1.7),
    Category("moveis_sala", "living_room_furniture", 0.6, 158, 0.70, 12500, 0.6),
    Category("moveis_quarto", "bedroom_furniture", 0.4, 212, 0.80, 14500, 0.6),
    Category("cozinha_jantar", "kitchen_dining", 0.8, 97, 0.80, 3800, 1.0),
    Category("audio_video", "audio_video", 0.6, 118, 0.95, 900, 0.7),
    Category("climatizacao", "air_conditioning", 0.4, 189, 0.80, 6100, 0.5),
    Category("iluminacao", "lighting", 0.6, 83, 0.75, 1200, 0.8),
    Category("roupa_feminina", "womens_clothing", 0.9, 66, 0.60, 380, 1.2),
    Category("roupa_masculina", "mens_clothing", 0.7, 64, 0.60, 400, 1.1),
    Category("calcados", "shoes", 0.7, 94, 0.60, 950, 1.0),
    Category("fraldas_higiene", "nappies_hygiene", 0.5, 52, 0.45, 1900, 2.0),
    Category("computadores", "computers", 0.4, 1180, 0.45, 6400, 0.5),
    Category("artes_artesanato", "arts_crafts", 0.5, 51, 0.75, 700, 1.3),
    Category("flores", "flowers", 0.2, 39, 0.50, 800, 1.1),
    Category("musica_discos", "music_records", 0.2, 49, 0.70, 300, 1.1),
    Category("artigos_festa", "party_supplies", 0.3, 36, 0.70, 600, 1.0),
    Category("mesa_jogos_tabuleiro", "", 0.02, 119, 0.50, 1300, 1.0),
    Category("oficina_bicicletas", "", 0.02, 96, 0.80, 2400, 1.0),
)
SHARE_WITHOUT_CATEGORY = 0.0185
# Share of sellers by unit; the rest of the country shares what is left.
SELLER_UNITS = {"SP": 0.59, "PR": 0.11, "MG": 0.08, "SC": 0.06, "RJ": 0.055, "RS": 0.04, "GO": 0.013, "DF": 0.01}


@dataclass(frozen=True)
class Catalogue:
    """Products and sellers; product arrays are sorted by the category customers choose from.

    ``shelf`` is the category a product is found under; ``category`` what the file says (``UNKNOWN`` where empty).
    Money is in cents. ``weight``, ``length``, ``height``, ``width`` use -1 for empty.
    """

    shelf: Ints
    category: Ints
    price: Ints
    seller: Ints
    second_seller: Ints
    weight: Ints
    length: Ints
    height: Ints
    width: Ints
    name_length: Ints
    description_length: Ints
    photos: Ints
    popularity: Floats
    seller_place: Ints

    def draw_products(self, rng: np.random.Generator, shelf: Ints) -> Ints:
        """Draw one product from each given shelf, popular ones more often."""
        edges = np.concatenate([[0.0], np.cumsum(self.popularity)])
        starts = np.searchsorted(self.shelf, np.arange(len(CATEGORIES)), side="left")
        stops = np.searchsorted(self.shelf, np.arange(len(CATEGORIES)), side="right")
        low, high = edges[starts[shelf]], edges[stops[shelf]]
        found = np.searchsorted(edges, low + rng.random(shelf.size) * (high - low), side="right") - 1
        return np.asarray(np.clip(found, starts[shelf], stops[shelf] - 1))


def category_shares() -> Floats:
    """Share of orders whose first item is from each category."""
    share = np.array([category.share for category in CATEGORIES])
    return np.asarray(share / share.sum())


def category_loyalty() -> Floats:
    """Factor of each category on the rate of return; the last entry is for products without a category."""
    return np.array([category.loyalty for category in CATEGORIES] + [1.0])


def category_rank() -> Ints:
    """Alphabetical rank of the name a report shows; the last entry is for products without a category."""
    shown = [category.english or category.name for category in CATEGORIES] + ["unknown"]
    rank = np.empty(len(shown), dtype=np.int64)
    rank[np.argsort(np.array(shown), kind="stable")] = np.arange(len(shown))
    return rank


def build_catalogue(rng: np.random.Generator, places: Places, orders: int) -> Catalogue:
    """Build products and sellers in a number that fits the number of orders."""
    product_count = int(np.clip(orders // 3, 150, 60_000))
    seller_count = int(np.clip(orders // 32, 25, 6_000))

    shares = category_shares()
    shelf = rng.choice(len(CATEGORIES), size=product_count, p=shares)
    shelf[: len(CATEGORIES)] = np.arange(len(CATEGORIES))  # no shelf is empty
    shelf = np.sort(shelf)
    price = np.array([category.price for category in CATEGORIES])[shelf]
    spread = np.array([category.spread for category in CATEGORIES])[shelf]
    reais = np.clip(price * np.exp(spread * rng.standard_normal(product_count)), 4.0, 7000.0)
    # Shops end their prices in .90 or .99 far more often than not.
    ending = rng.choice(np.array([90, 99, 0, 49]), size=product_count, p=[0.6, 0.2, 0.1, 0.1])
    cents = np.maximum(np.floor(reais).astype(np.int64) * 100 + ending, 350)

    grams = np.array([category.weight for category in CATEGORIES])[shelf]
    weight = np.clip(np.round(grams * np.exp(0.8 * rng.standard_normal(product_count)), -1), 50, 40_000)
    side = np.cbrt(weight * 6.0)
    length = np.clip(np.round(side * rng.uniform(1.0, 1.9, product_count)), 16, 105)
    height = np.clip(np.round(side * rng.uniform(0.3, 1.0, product_count)), 2, 105)
    width = np.clip(np.round(side * rng.uniform(0.7, 1.3, product_count)), 11, 105)

    # Popularity falls like a power of a random rank, so each category has a few best sellers.
    popularity = (1.0 + rng.integers(0, product_count, product_count).astype(np.float64)) ** -0.6

    states = [unit.state for unit in UNITS]
    rest = 1.0 - sum(SELLER_UNITS.values())
    buyers = np.array([0.0 if unit.state in SELLER_UNITS else unit.population for unit in UNITS])
    seller_share = np.array([SELLER_UNITS.get(state, 0.0) for state in states]) + rest * buyers / buyers.sum()
    seller_state = rng.choice(len(UNITS), size=seller_count, p=seller_share / seller_share.sum())
    seller_place = places.draw_in_state(rng, seller_state)
    seller_size = rng.pareto(1.3, seller_count) + 0.2
    seller_edges = np.cumsum(seller_size) / seller_size.sum()
    seller = np.searchsorted(seller_edges, rng.random(product_count)).clip(max=seller_count - 1)
    second = np.searchsorted(seller_edges, rng.random(product_count)).clip(max=seller_count - 1)
    second = np.where(rng.random(product_count) < 0.15, second, seller)

    catalogue = Catalogue(
        shelf=shelf,
        category=shelf.copy(),
        price=cents,
        seller=seller,
        second_seller=second,
        weight=weight.astype(np.int64),
        length=length.astype(np.int64),
        height=height.astype(np.int64),
        width=width.astype(np.int64),
        name_length=np.clip(np.round(64 - rng.gamma(2.2, 7.0, product_count)), 5, 64).astype(np.int64),
        description_length=np.clip(np.round(np.exp(rng.normal(6.4, 0.7, product_count))), 8, 4000).astype(np.int64),
        photos=np.minimum(1 + rng.poisson(1.2, product_count), 15).astype(np.int64),
        popularity=popularity,
        seller_place=seller_place,
    )
    _soil(rng, catalogue)
    return catalogue


def _soil(rng: np.random.Generator, catalogue: Catalogue) -> None:
    """Forget some products' categories and weights, as real shops do."""
    size = catalogue.shelf.size
    translated = np.array([bool(category.english) for category in CATEGORIES])[catalogue.shelf]
    candidates = rng.permutation(np.flatnonzero(translated))
    nameless = candidates[: max(1, round(SHARE_WITHOUT_CATEGORY * size))]
    catalogue.category[nameless] = UNKNOWN
    for column in (catalogue.name_length, catalogue.description_length, catalogue.photos):
        column[nameless] = -1
    unweighed, weightless = candidates[-1:], candidates[-4:-1]
    for column in (catalogue.weight, catalogue.length, catalogue.height, catalogue.width):
        column[unweighed] = -1
    catalogue.weight[weightless] = 0
