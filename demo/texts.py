"""Review texts of the fictional shop: short Portuguese sentences put together from parts, none of them quoted."""

from __future__ import annotations

import numpy as np

from demo.process import Ints

TITLES = {
    "good": ("Gostei", "Recomendo", "Muito bom", "Nota dez", "Perfeito", "Compra tranquila", "Chegou bem"),
    "fair": ("Razoável", "Mais ou menos", "Esperava mais", "Dá para o gasto"),
    "bad": ("Não gostei", "Decepção", "Atrasou demais", "Não recomendo", "Ainda sem resposta"),
}
OPENINGS = {
    "good": (
        "Tudo certo com a encomenda",
        "A caixa chegou inteira",
        "Já é a minha loja preferida",
        "O produto é igual ao da foto",
        "Presente aprovado pela família",
        "Entregaram antes do dia marcado",
    ),
    "fair": (
        "O produto serve, mas a cor é outra",
        "Funciona, só que faz barulho",
        "A embalagem veio amassada",
        "Tamanho menor do que eu pensava",
    ),
    "bad": (
        "Continuo esperando a encomenda",
        "Veio com defeito, liguei e ninguém resolveu",
        "Faltou uma peça no pacote",
        "O prazo passou faz tempo",
        "Mandaram o modelo errado",
    ),
}
DETAILS = {
    "good": (
        ", embalado com capricho",
        ' e o vendedor ainda escreveu "obrigado" à mão',
        ", por um preço justo",
        "; acompanhei cada etapa",
        ", montagem fácil, manual claro",
        "",
    ),
    "fair": (", por isso tirei pontos", "; pelo preço, aceito", ', o anúncio dizia "novo"', ""),
    "bad": (
        ", quero meu dinheiro de volta",
        ' e a resposta foi só "aguarde"',
        "; não compro mais aqui",
        ", uma pena",
        "",
    ),
}
CLOSINGS = {
    "good": (".", "!", ".\nVolto a comprar.", ".\r\n\r\nAbraço, até a próxima!", " :)"),
    "fair": (".", "...", ".\nVou usar assim mesmo."),
    "bad": (".", "!!", ".\nAlguém pode ajudar?", ".\r\nPedido pago, produto nenhum."),
}
MOODS = ("bad", "bad", "fair", "good", "good")  # of scores 1 to 5
# Most people end where the sentence ends; line breaks are the exception.
PLAIN_CLOSINGS = 4


def _messages(mood: str) -> list[str]:
    plain = [closing for closing in CLOSINGS[mood] if "\n" not in closing]
    broken = [closing for closing in CLOSINGS[mood] if "\n" in closing]
    closings = plain * PLAIN_CLOSINGS + broken
    return [
        opening + detail + closing for opening in OPENINGS[mood] for detail in DETAILS[mood] for closing in closings
    ]


class Texts:
    """All titles and messages, and draws from them by score."""

    def __init__(self) -> None:
        """Put the parts together."""
        moods = tuple(TITLES)
        self.titles = [title for mood in moods for title in TITLES[mood]]
        self.messages = [message for mood in moods for message in _messages(mood)]
        title_count = np.array([len(TITLES[mood]) for mood in moods])
        message_count = np.array([len(_messages(mood)) for mood in moods])
        self._mood_of_score = np.array([moods.index(mood) for mood in MOODS])
        self._title_range = (np.cumsum(title_count) - title_count, title_count)
        self._message_range = (np.cumsum(message_count) - message_count, message_count)

    def draw(self, rng: np.random.Generator, score: Ints) -> tuple[Ints, Ints]:
        """Draw positions in ``titles`` and ``messages`` for each score; -1 where the customer wrote nothing."""
        mood = self._mood_of_score[score - 1]
        chatty = rng.random(score.size)
        title = self._title_range[0][mood] + np.floor(rng.random(score.size) * self._title_range[1][mood])
        message = self._message_range[0][mood] + np.floor(rng.random(score.size) * self._message_range[1][mood])
        # Unhappy people write more often.
        writes = np.array([0.75, 0.68, 0.44, 0.33, 0.37])[score - 1]
        return (
            np.where(rng.random(score.size) < 0.12, title, -1).astype(np.int64),
            np.where(chatty < writes, message, -1).astype(np.int64),
        )
