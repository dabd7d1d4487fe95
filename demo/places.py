"""Where people and sellers live: the 27 units of Brazil, their larger cities and zip prefixes.

City coordinates, populations (2022 census, thousands) and the ranges of zip prefixes are public facts, rounded.
How eagerly a unit buys online is the fictional shop's own.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PREFIX_COUNT = 8_000
SHARE_WITHOUT_LOCATION = 0.003  # of customers whose prefix geolocation does not know
SHARE_DUPLICATED = 0.26  # of geolocation rows that repeat another row exactly
SHARE_ACCENTED = 0.4  # of geolocation rows that spell the city with its accents
SHARE_OUTSIDE = 0.00003  # of geolocation points outside Brazil


@dataclass(frozen=True)
class Unit:
    """One federative unit: population in millions, region, and appetite for buying online (1 = country average)."""

    state: str
    region: str
    population: float
    online: float


UNITS = (
    Unit("AC", "north", 0.83, 0.55),
    Unit("AL", "northeast", 3.13, 0.50),
    Unit("AM", "north", 3.94, 0.40),
    Unit("AP", "north", 0.73, 0.55),
    Unit("BA", "northeast", 14.14, 0.52),
    Unit("CE", "northeast", 8.79, 0.48),
    Unit("DF", "centre_west", 2.82, 1.45),
    Unit("ES", "southeast", 3.83, 1.15),
    Unit("GO", "centre_west", 7.06, 0.80),
    Unit("MA", "northeast", 6.78, 0.38),
    Unit("MG", "southeast", 20.54, 1.15),
    Unit("MS", "centre_west", 2.76, 0.75),
    Unit("MT", "centre_west", 3.66, 0.75),
    Unit("PA", "north", 8.12, 0.42),
    Unit("PB", "northeast", 3.97, 0.48),
    Unit("PE", "northeast", 9.06, 0.55),
    Unit("PI", "northeast", 3.27, 0.48),
    Unit("PR", "south", 11.44, 1.05),
    Unit("RJ", "southeast", 16.05, 1.55),
    Unit("RN", "northeast", 3.30, 0.50),
    Unit("RO", "north", 1.58, 0.55),
    Unit("RR", "north", 0.64, 0.50),
    Unit("RS", "south", 10.88, 1.10),
    Unit("SC", "south", 7.61, 1.10),
    Unit("SE", "northeast", 2.21, 0.50),
    Unit("SP", "southeast", 44.41, 1.80),
    Unit("TO", "north", 1.51, 0.60),
)
REGIONS = ("north", "northeast", "centre_west", "southeast", "south")

# state, city, latitude, longitude, population in thousands, first and last zip prefix
CITIES: tuple[tuple[str, str, float, float, int, int, int], ...] = (
    ("AC", "Rio Branco", -9.9754, -67.8249, 364, 69900, 69924),
    ("AC", "Cruzeiro do Sul", -7.6308, -72.6700, 92, 69980, 69981),
    ("AL", "Maceió", -9.6658, -35.7350, 957, 57000, 57099),
    ("AL", "Arapiraca", -9.7525, -36.6611, 234, 57300, 57319),
    ("AM", "Manaus", -3.1190, -60.0217, 2063, 69000, 69099),
    ("AM", "Itacoatiara", -3.1431, -58.4442, 104, 69100, 69104),
    ("AM", "Parintins", -2.6283, -56.7358, 96, 69150, 69154),
    ("AP", "Macapá", 0.0349, -51.0694, 442, 68900, 68914),
    ("AP", "Santana", -0.0583, -51.1817, 107, 68925, 68929),
    ("BA", "Salvador", -12.9714, -38.5014, 2417, 40000, 41999),
    ("BA", "Lauro de Freitas", -12.8944, -38.3272, 203, 42700, 42729),
    ("BA", "Feira de Santana", -12.2664, -38.9663, 616, 44000, 44109),
    ("BA", "Vitória da Conquista", -14.8661, -40.8394, 370, 45000, 45109),
    ("BA", "Itabuna", -14.7856, -39.2803, 186, 45600, 45619),
    ("BA", "Barreiras", -12.1528, -44.9900, 159, 47800, 47819),
    ("BA", "Juazeiro", -9.4111, -40.4986, 237, 48900, 48909),
    ("CE", "Fortaleza", -3.7319, -38.5267, 2428, 60000, 60999),
    ("CE", "Caucaia", -3.7361, -38.6531, 355, 61600, 61659),
    ("CE", "Sobral", -3.6861, -40.3497, 203, 62000, 62114),
    ("CE", "Juazeiro do Norte", -7.2131, -39.3153, 286, 63000, 63049),
    ("DF", "Brasília", -15.7939, -47.8828, 1400, 70000, 70999),
    ("DF", "Brasília", -15.8333, -48.0564, 900, 72000, 72299),
    ("DF", "Brasília", -15.6500, -47.7900, 500, 73000, 73399),
    ("ES", "Vitória", -20.3155, -40.3128, 322, 29000, 29099),
    ("ES", "Vila Velha", -20.3297, -40.2925, 467, 29100, 29129),
    ("ES", "Cariacica", -20.2632, -40.4165, 353, 29140, 29159),
    ("ES", "Serra", -20.1211, -40.3074, 520, 29160, 29184),
    ("ES", "Cachoeiro de Itapemirim", -20.8489, -41.1128, 185, 29300, 29324),
    ("ES", "Linhares", -19.3946, -40.0643, 166, 29900, 29919),
    ("GO", "Luziânia", -16.2530, -47.9500, 209, 72800, 72859),
    ("GO", "Goiânia", -16.6869, -49.2648, 1437, 74000, 74899),
    ("GO", "Aparecida de Goiânia", -16.8198, -49.2469, 527, 74900, 74999),
    ("GO", "Anápolis", -16.3281, -48.9530, 398, 75000, 75149),
    ("GO", "Rio Verde", -17.7923, -50.9192, 225, 75900, 75919),
    ("MA", "São Luís", -2.5307, -44.3068, 1037, 65000, 65109),
    ("MA", "Caxias", -4.8592, -43.3561, 156, 65600, 65609),
    ("MA", "Imperatriz", -5.5264, -47.4917, 273, 65900, 65919),
    ("MG", "Belo Horizonte", -19.9167, -43.9345, 2315, 30000, 31999),
    ("MG", "Contagem", -19.9317, -44.0536, 621, 32000, 32399),
    ("MG", "Betim", -19.9678, -44.1983, 411, 32600, 32699),
    ("MG", "Governador Valadares", -18.8511, -41.9495, 257, 35000, 35109),
    ("MG", "Ipatinga", -19.4683, -42.5367, 227, 35160, 35164),
    ("MG", "Divinópolis", -20.1446, -44.8912, 231, 35500, 35504),
    ("MG", "Juiz de Fora", -21.7642, -43.3503, 540, 36000, 36109),
    ("MG", "Poços de Caldas", -21.7878, -46.5614, 163, 37700, 37719),
    ("MG", "Uberaba", -19.7472, -47.9381, 337, 38000, 38099),
    ("MG", "Uberlândia", -18.9186, -48.2772, 713, 38400, 38419),
    ("MG", "Montes Claros", -16.7286, -43.8582, 414, 39400, 39409),
    ("MS", "Campo Grande", -20.4697, -54.6201, 898, 79000, 79129),
    ("MS", "Três Lagoas", -20.7511, -51.6783, 132, 79600, 79649),
    ("MS", "Dourados", -22.2231, -54.8120, 243, 79800, 79849),
    ("MT", "Cuiabá", -15.6014, -56.0979, 650, 78000, 78109),
    ("MT", "Várzea Grande", -15.6467, -56.1325, 300, 78110, 78169),
    ("MT", "Sinop", -11.8608, -55.5094, 196, 78550, 78559),
    ("MT", "Rondonópolis", -16.4673, -54.6372, 245, 78700, 78749),
    ("PA", "Belém", -1.4558, -48.4902, 1303, 66000, 66999),
    ("PA", "Ananindeua", -1.3656, -48.3722, 478, 67000, 67199),
    ("PA", "Santarém", -2.4431, -54.7083, 331, 68000, 68109),
    ("PA", "Marabá", -5.3686, -49.1178, 266, 68500, 68514),
    ("PA", "Castanhal", -1.2939, -47.9264, 192, 68740, 68749),
    ("PB", "João Pessoa", -7.1195, -34.8450, 833, 58000, 58099),
    ("PB", "Campina Grande", -7.2306, -35.8811, 419, 58400, 58449),
    ("PB", "Patos", -7.0244, -37.2800, 103, 58700, 58709),
    ("PE", "Recife", -8.0476, -34.8770, 1488, 50000, 52999),
    ("PE", "Olinda", -8.0089, -34.8553, 349, 53000, 53399),
    ("PE", "Jaboatão dos Guararapes", -8.1128, -35.0147, 643, 54000, 54499),
    ("PE", "Caruaru", -8.2837, -35.9761, 378, 55000, 55099),
    ("PE", "Garanhuns", -8.8903, -36.4928, 142, 55290, 55299),
    ("PE", "Petrolina", -9.3891, -40.5031, 386, 56300, 56334),
    ("PI", "Teresina", -5.0892, -42.8019, 866, 64000, 64099),
    ("PI", "Parnaíba", -2.9048, -41.7767, 162, 64200, 64219),
    ("PI", "Picos", -7.0769, -41.4669, 83, 64600, 64609),
    ("PR", "Curitiba", -25.4284, -49.2733, 1774, 80000, 82999),
    ("PR", "São José dos Pinhais", -25.5347, -49.2064, 329, 83000, 83189),
    ("PR", "Ponta Grossa", -25.0950, -50.1619, 358, 84000, 84109),
    ("PR", "Cascavel", -24.9578, -53.4595, 348, 85800, 85824),
    ("PR", "Foz do Iguaçu", -25.5163, -54.5854, 285, 85850, 85871),
    ("PR", "Londrina", -23.3045, -51.1696, 556, 86000, 86109),
    ("PR", "Maringá", -23.4205, -51.9333, 410, 87000, 87109),
    ("RJ", "Rio de Janeiro", -22.9068, -43.1729, 3900, 20000, 22799),
    ("RJ", "Rio de Janeiro", -22.8900, -43.5600, 2311, 23000, 23599),
    ("RJ", "Niterói", -22.8833, -43.1036, 481, 24000, 24399),
    ("RJ", "São Gonçalo", -22.8268, -43.0539, 896, 24400, 24799),
    ("RJ", "Duque de Caxias", -22.7856, -43.3117, 808, 25000, 25299),
    ("RJ", "Petrópolis", -22.5050, -43.1786, 279, 25600, 25779),
    ("RJ", "Nova Iguaçu", -22.7556, -43.4603, 786, 26000, 26099),
    ("RJ", "Volta Redonda", -22.5231, -44.1042, 262, 27200, 27299),
    ("RJ", "Campos dos Goytacazes", -21.7545, -41.3244, 483, 28000, 28149),
    ("RJ", "Cabo Frio", -22.8894, -42.0286, 222, 28900, 28929),
    ("RN", "Natal", -5.7945, -35.2110, 751, 59000, 59139),
    ("RN", "Parnamirim", -5.9156, -35.2628, 252, 59140, 59159),
    ("RN", "Mossoró", -5.1878, -37.3442, 265, 59600, 59649),
    ("RO", "Porto Velho", -8.7612, -63.9004, 460, 76800, 76834),
    ("RO", "Ji-Paraná", -10.8853, -61.9517, 124, 76900, 76914),
    ("RR", "Boa Vista", 2.8235, -60.6758, 413, 69300, 69339),
    ("RR", "Rorainópolis", 0.9419, -60.4394, 33, 69373, 69373),
    ("RS", "Porto Alegre", -30.0346, -51.2177, 1333, 90000, 91999),
    ("RS", "Canoas", -29.9178, -51.1836, 348, 92000, 92449),
    ("RS", "Novo Hamburgo", -29.6875, -51.1328, 228, 93300, 93549),
    ("RS", "Caxias do Sul", -29.1678, -51.1794, 463, 95000, 95129),
    ("RS", "Pelotas", -31.7654, -52.3376, 326, 96000, 96099),
    ("RS", "Rio Grande", -32.0350, -52.0986, 192, 96200, 96219),
    ("RS", "Santa Maria", -29.6842, -53.8069, 272, 97000, 97119),
    ("RS", "Passo Fundo", -28.2576, -52.4091, 207, 99000, 99099),
    ("SC", "Florianópolis", -27.5954, -48.5480, 537, 88000, 88099),
    ("SC", "São José", -27.6136, -48.6366, 270, 88100, 88123),
    ("SC", "Itajaí", -26.9078, -48.6619, 264, 88300, 88319),
    ("SC", "Criciúma", -28.6775, -49.3697, 215, 88800, 88819),
    ("SC", "Blumenau", -26.9194, -49.0661, 361, 89000, 89099),
    ("SC", "Joinville", -26.3044, -48.8487, 616, 89200, 89239),
    ("SC", "Chapecó", -27.1004, -52.6152, 255, 89800, 89816),
    ("SE", "Aracaju", -10.9472, -37.0731, 603, 49000, 49099),
    ("SE", "Nossa Senhora do Socorro", -10.8550, -37.1261, 192, 49160, 49169),
    ("SE", "Lagarto", -10.9167, -37.6500, 101, 49400, 49409),
    ("SE", "Itabaiana", -10.6850, -37.4253, 103, 49500, 49509),
    ("SP", "São Paulo", -23.5505, -46.6333, 8950, 1000, 5899),
    ("SP", "São Paulo", -23.5400, -46.4500, 2500, 8000, 8499),
    ("SP", "Osasco", -23.5325, -46.7917, 729, 6000, 6299),
    ("SP", "Barueri", -23.5112, -46.8764, 316, 6400, 6499),
    ("SP", "Guarulhos", -23.4538, -46.5333, 1292, 7000, 7399),
    ("SP", "Mogi das Cruzes", -23.5229, -46.1880, 452, 8700, 8899),
    ("SP", "Santo André", -23.6639, -46.5383, 749, 9000, 9299),
    ("SP", "São Bernardo do Campo", -23.6939, -46.5650, 811, 9600, 9899),
    ("SP", "Santos", -23.9608, -46.3336, 419, 11000, 11099),
    ("SP", "São José dos Campos", -23.2237, -45.9009, 697, 12200, 12249),
    ("SP", "Campinas", -22.9056, -47.0608, 1139, 13000, 13139),
    ("SP", "Jundiaí", -23.1857, -46.8978, 443, 13200, 13219),
    ("SP", "Piracicaba", -22.7253, -47.6492, 423, 13400, 13439),
    ("SP", "Ribeirão Preto", -21.1775, -47.8103, 699, 14000, 14109),
    ("SP", "Franca", -20.5386, -47.4008, 352, 14400, 14414),
    ("SP", "São José do Rio Preto", -20.8113, -49.3758, 480, 15000, 15104),
    ("SP", "Bauru", -22.3145, -49.0606, 379, 17000, 17109),
    ("SP", "Sorocaba", -23.5015, -47.4526, 724, 18000, 18109),
    ("SP", "Presidente Prudente", -22.1256, -51.3889, 226, 19000, 19109),
    ("TO", "Palmas", -10.1689, -48.3317, 303, 77000, 77099),
    ("TO", "Gurupi", -11.7292, -49.0686, 85, 77400, 77429),
    ("TO", "Araguaína", -7.1911, -48.2072, 171, 77800, 77829),
)


def without_accents(text: str) -> str:
    """Spell a city as the customers table does: lower case, no accents."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()


@dataclass(frozen=True)
class Places:
    """Zip prefixes in ascending order, as arrays of one value per prefix (``share`` sums to one)."""

    zip_prefix: Ints
    latitude: Floats
    longitude: Floats
    city: Ints
    state: Ints
    region: Ints
    share: Floats
    is_located: npt.NDArray[np.bool_]

    def draw(self, rng: np.random.Generator, size: int) -> Ints:
        """Draw prefixes in proportion to the people who buy there."""
        return np.searchsorted(self._cumulative, rng.random(size), side="right").clip(max=self.share.size - 1)

    def draw_in_state(self, rng: np.random.Generator, state: Ints) -> Ints:
        """Draw one prefix inside each given unit (prefixes of a unit need not be neighbours)."""
        order = np.argsort(self.state, kind="stable")
        edges = np.concatenate([[0.0], np.cumsum(self.share[order])])
        starts = np.searchsorted(self.state[order], np.arange(len(UNITS)), side="left")
        stops = np.searchsorted(self.state[order], np.arange(len(UNITS)), side="right")
        low, high = edges[starts[state]], edges[stops[state]]
        found = np.searchsorted(edges, low + rng.random(state.size) * (high - low), side="right") - 1
        return np.asarray(order[np.clip(found, starts[state], stops[state] - 1)])

    @property
    def _cumulative(self) -> Floats:
        total = np.cumsum(self.share)
        return np.asarray(total / total[-1])


def build_places(rng: np.random.Generator) -> Places:
    """Choose the zip prefixes in use and how many people buy from each."""
    unit_number = {unit.state: number for number, unit in enumerate(UNITS)}
    unit_of_city = np.array([unit_number[row[0]] for row in CITIES])
    people = np.array([row[4] for row in CITIES], dtype=np.float64)
    unit_share = np.array([unit.population * unit.online for unit in UNITS])
    people_of_unit = np.bincount(unit_of_city, people)
    city_share = people / people_of_unit[unit_of_city] * (unit_share / unit_share.sum())[unit_of_city]

    prefixes, cities, latitudes, longitudes, shares = [], [], [], [], []
    for number, (_, _, latitude, longitude, population, first, last) in enumerate(CITIES):
        count = int(np.clip(round(city_share[number] * PREFIX_COUNT), 1, last - first + 1))
        # A city's prefixes spread further the larger it is; about 0.1 degrees is 11 km.
        spread = 0.012 + 0.0009 * np.sqrt(population)
        appetite = rng.gamma(1.5, size=count)
        prefixes.append(np.sort(rng.choice(np.arange(first, last + 1), size=count, replace=False)))
        cities.append(np.full(count, number))
        latitudes.append(latitude + np.clip(rng.normal(0, spread, count), -2.5 * spread, 2.5 * spread))
        longitudes.append(longitude + np.clip(rng.normal(0, spread, count), -2.5 * spread, 2.5 * spread))
        shares.append(city_share[number] * appetite / appetite.sum())
    order = np.argsort(np.concatenate(prefixes), kind="stable")
    share = np.concatenate(shares)[order]
    city = np.concatenate(cities)[order]
    state = unit_of_city[city]
    region = np.array([REGIONS.index(unit.region) for unit in UNITS])[state]

    # Prefixes few people use are the ones a location file forgets.
    is_located = np.ones(share.size, dtype=np.bool_)
    unpopular = rng.permutation(np.flatnonzero(share < np.median(share)))
    is_located[unpopular[np.cumsum(share[unpopular]) <= SHARE_WITHOUT_LOCATION]] = False
    return Places(
        zip_prefix=np.concatenate(prefixes)[order],
        latitude=np.concatenate(latitudes)[order],
        longitude=np.concatenate(longitudes)[order],
        city=city,
        state=state,
        region=region,
        share=share,
        is_located=is_located,
    )


def distance_km(places: Places, origin: Ints, destination: Ints) -> Floats:
    """Great-circle distance between prefixes (haversine, mean radius 6,371 km)."""
    lat_a, lat_b = np.radians(places.latitude[origin]), np.radians(places.latitude[destination])
    lng_a, lng_b = np.radians(places.longitude[origin]), np.radians(places.longitude[destination])
    half = np.sin((lat_b - lat_a) / 2) ** 2 + np.cos(lat_a) * np.cos(lat_b) * np.sin((lng_b - lng_a) / 2) ** 2
    return np.asarray(2 * 6371.0 * np.arcsin(np.sqrt(np.clip(half, 0, 1))))


def draw_points(
    rng: np.random.Generator, places: Places, rows: int
) -> tuple[Ints, Floats, Floats, npt.NDArray[np.bool_]]:
    """Draw geolocation rows: prefix, latitude, longitude and whether the city is spelt with accents.

    Every located prefix has at least one row; the rest follow the number of buyers. About a quarter of the rows repeat
    another row exactly, and a few points lie outside Brazil.
    """
    located = np.flatnonzero(places.is_located)
    extra = max(rows - located.size, 0)
    share = places.share[located] / places.share[located].sum()
    prefix = np.sort(
        np.concatenate(
            [located, located[np.searchsorted(np.cumsum(share), rng.random(extra)).clip(max=located.size - 1)]]
        )
    )
    latitude = np.round(places.latitude[prefix] + rng.normal(0, 0.004, prefix.size), 8)
    longitude = np.round(places.longitude[prefix] + rng.normal(0, 0.004, prefix.size), 8)
    accented = rng.random(prefix.size) < SHARE_ACCENTED

    outside = rng.choice(prefix.size, size=max(2, round(SHARE_OUTSIDE * prefix.size)), replace=False)
    latitude[outside] = np.round(rng.uniform(36.0, 43.0, outside.size), 8)  # the old country across the ocean
    longitude[outside] = np.round(rng.uniform(-9.3, -6.5, outside.size), 8)

    # A row repeats its predecessor of the same prefix, so runs of identical rows stay together after sorting.
    repeats = np.flatnonzero((rng.random(prefix.size) < SHARE_DUPLICATED * 1.08) & (np.diff(prefix, prepend=-1) == 0))
    source = np.arange(prefix.size)
    source[repeats] = -1
    source = np.maximum.accumulate(source)
    return prefix, latitude[source], longitude[source], accented[source]
