"""Every sentence the API says to a person, in English and Russian, side by side."""

from __future__ import annotations

LANGUAGES = ("en", "ru")

TEXTS: dict[str, tuple[str, str]] = {
    # titles of problems
    "key_missing": ("An API key is needed", "Нужен ключ API"),
    "key_missing_detail": (
        "Send your key in the header X-API-Key.",
        "Передайте ключ в заголовке X-API-Key.",
    ),
    "key_unknown": ("This API key is not known", "Ключ API неизвестен"),
    "role_missing": ("This key may not do that", "Этому ключу это не разрешено"),
    "role_missing_detail": (
        "Rows of single customers, and forecasts, are for the role analyst; this key has the role {role}.",
        "Строки отдельных клиентов и прогнозы доступны роли analyst; у этого ключа роль {role}.",
    ),
    "too_many_requests": ("Too many requests", "Слишком много запросов"),
    "too_many_requests_detail": (
        "A key may send {rate} requests a second. Try again in {seconds} s.",
        "Ключ может отправлять {rate} запросов в секунду. Повторите через {seconds} с.",
    ),
    "body_too_large": ("The body is too large", "Тело запроса слишком велико"),
    "body_too_large_detail": (
        "A request may hold {megabytes} MB. Send several smaller ones.",
        "Запрос может содержать {megabytes} МБ. Отправьте несколько меньших.",
    ),
    "too_many_rows": ("Too many rows", "Слишком много строк"),
    "too_many_rows_detail": (
        "A batch may hold {most} rows; this one holds {given}.",
        "Пакет может содержать {most} строк; в этом {given}.",
    ),
    "not_valid": ("The request is not valid", "Запрос составлен неверно"),
    "not_found": ("Not found", "Не найдено"),
    "not_found_detail": ("There is nothing at this address.", "По этому адресу ничего нет."),
    "method": ("This address does not answer this method", "Адрес не отвечает на этот метод"),
    "customer_unknown_detail": (
        "No customer with this id has a valid order.",
        "Нет клиента с таким идентификатором, у которого есть действительный заказ.",
    ),
    "no_first_purchase_detail": (
        "No model of first purchases is learned yet: run `python -m scoring.first_purchase`.",
        "Модель первых покупок ещё не обучена: выполните `python -m scoring.first_purchase`.",
    ),
    "model_unknown_detail": ("There is no such model. Known: {known}.", "Такой модели нет. Есть: {known}."),
    "table_missing_detail": (
        "The published build has no {table}.",
        "В опубликованной сборке нет {table}.",
    ),
    "not_ready": ("There is no published warehouse yet", "Опубликованного хранилища пока нет"),
    "not_ready_detail": ("Run `make warehouse` and ask again.", "Выполните `make warehouse` и повторите запрос."),
    "no_scores_detail": (
        "The published build has no churn model: run `make score`.",
        "В опубликованной сборке нет модели оттока: выполните `make score`.",
    ),
    "fault": ("A fault of the server", "Ошибка сервера"),
    "fault_detail": (
        "The fault is in the server's log under {reference}.",
        "Ошибка записана в журнале сервера под номером {reference}.",
    ),
    # what is wrong with a field
    "is_missing": ("is missing", "отсутствует"),
    "is_unknown": ("is not known here", "здесь неизвестно"),
    "is_unknown_near": ("is not known here; did you mean {near}?", "здесь неизвестно; возможно, {near}?"),
    "not_a_number": ("must be a number", "должно быть числом"),
    "not_finite": ("must be a finite number", "должно быть конечным числом"),
    "not_a_word": ("must be a text", "должно быть текстом"),
    "not_an_object": ("must be an object of features", "должно быть объектом с признаками"),
    "not_json": ("is no JSON", "не является JSON"),
    "not_csv": ("is no CSV with a line of names", "не является CSV со строкой названий"),
    "not_a_list": ("must be a list", "должно быть списком"),
    "not_allowed": ("must be one of: {allowed}", "должно быть одним из: {allowed}"),
    "not_between": ("must be a whole number from {least} to {most}", "должно быть целым числом от {least} до {most}"),
    "not_a_cursor": (
        "is no `next` of an earlier answer",
        "не является значением `next` из предыдущего ответа",
    ),
    "is_invalid": ("is not valid: {reason}", "задано неверно: {reason}"),
    "row_or_orders": ("give either row or orders", "укажите либо row, либо orders"),
    "needs_row": ("this model scores a row of features", "эта модель оценивает строку признаков"),
    "needs_orders": ("this model scores orders", "эта модель оценивает заказы"),
    "first_order_canceled": ("must not be a canceled order", "не должен быть отменённым заказом"),
    "delivered_too_early": ("lies before the purchase", "раньше покупки"),
    "beyond_the_calendar": ("lies too far in the future", "слишком далеко в будущем"),
    "no_valid_order": (
        "holds no valid order before {day}",
        "нет действительного заказа до {day}",
    ),
    # warnings
    "out_of_range": (
        "{value} is outside of what the model has seen: {low} to {high}",
        "{value} вне диапазона, который видела модель: от {low} до {high}",
    ),
    "unseen_word": ("the model has not met {value}", "модель не встречала значение {value}"),
    "blank": ("blank: scored as a value that is missing", "пусто: оценено как отсутствующее значение"),
    "base_rate": (
        "no better than the base rate: every person gets the same probability",
        "не лучше средней доли: вероятность у всех одинакова",
    ),
    "popular_categories": (
        "the most popular ones: the first category tells no more",
        "самые популярные: первая категория не говорит большего",
    ),
    "raises": ("raises the risk", "повышает риск"),
    "lowers": ("lowers the risk", "снижает риск"),
    "is_blank": ("{feature} is blank", "{feature} не заполнено"),
    "is_value": ("{feature} is {value}", "{feature}: {value}"),
    "and": ("{first} and {second}", "{first} и {second}"),
}


def text(key: str, language: str, **values: object) -> str:
    """Return a sentence in a language.

    Parameters
    ----------
    key : str
        Of :data:`TEXTS`.
    language : str
        ``en`` or ``ru``.
    **values
        What its gaps are filled with.
    """
    return TEXTS[key][LANGUAGES.index(language)].format(**values)


def language_of(header: str | None) -> str:
    """Choose the language that an ``Accept-Language`` header prefers among ours; English without one."""
    best, weight = "en", 0.0
    for part in (header or "").split(","):
        name, _, rest = part.strip().partition(";")
        try:
            quality = float(rest.strip().removeprefix("q=")) if rest else 1.0
        except ValueError:
            continue
        short = name.strip().lower().split("-")[0]
        if short in LANGUAGES and quality > weight:
            best, weight = short, quality
    return best
