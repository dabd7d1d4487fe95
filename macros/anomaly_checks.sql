{#
    What is odd in raw files, and the rule that handles it. `cte` is the relation of the model `anomalies` the condition is
    about. A new oddity is one entry here.
#}
{% macro anomaly_checks() -%}
    {{ return([
        {'cte': 'orders', 'source_table': 'orders', 'anomalies': [
            {
                'name': 'delivered without a delivery date',
                'condition': "order_status = 'delivered' and delivered_at is null",
                'handled_by': 'Counts as delivered; has no delivery days and is left out of delivery metrics.',
            },
            {
                'name': 'canceled with a delivery date',
                'condition': "order_status = 'canceled' and delivered_at is not null",
                'handled_by': 'Stays canceled: not valid, no delivery days.',
            },
            {
                'name': 'no approval date',
                'condition': 'approved_at is null',
                'handled_by': 'Left empty; no metric needs it.',
            },
            {
                'name': 'no carrier date',
                'condition': 'shipped_at is null',
                'handled_by': 'Left empty; no metric needs it.',
            },
            {
                'name': 'no delivery date',
                'condition': 'delivered_at is null',
                'handled_by': 'No delivery days; left out of delivery metrics.',
            },
            {
                'name': 'with the carrier before approval',
                'condition': 'shipped_at < approved_at',
                'handled_by': 'Stamps are kept as they are; delivery days run from the purchase.',
            },
            {
                'name': 'with the carrier before purchase',
                'condition': 'shipped_at < purchased_at',
                'handled_by': 'Stamps are kept as they are; delivery days run from the purchase.',
            },
            {
                'name': 'delivered before the carrier had it',
                'condition': 'delivered_at < shipped_at',
                'handled_by': 'Stamps are kept as they are; delivery days run from the purchase.',
            },
            {
                'name': 'delivered before purchase',
                'condition': 'delivered_at < purchased_at',
                'handled_by': 'Stamps are kept as they are; delivery days are negative.',
            },
        ]},
        {'cte': 'dated_orders', 'source_table': 'orders', 'anomalies': [
            {
                'name': 'placed after the day the data ends',
                'condition': 'is_later',
                'handled_by': 'Left out everywhere: the months after as_of_date are the thin tail of an export, or as_of_date was set back.',
            },
        ]},
        {'cte': 'people', 'source_table': 'orders', 'rows': 'valid_order_count', 'anomalies': [
            {
                'name': 'split_cart',
                'condition': 'valid_order_count > occasion_count',
                'rows': 'valid_order_count - occasion_count',
                'handled_by': 'A further valid order of a person on one day: an order of its own, and no shopping occasion of its own.',
            },
        ]},
        {'cte': 'order_parts', 'source_table': 'orders', 'rows': 'orders', 'anomalies': [
            {
                'name': 'payments differ from items and freight',
                'condition': 'abs(payment_value - order_value) > ' ~ var('payment_difference_tolerance'),
                'handled_by': 'Both values are kept; money of customers is what was paid, money of products is item prices.',
            },
            {
                'name': 'no items',
                'condition': 'items = 0',
                'handled_by': 'Order value 0 and item count 0; the order itself counts by its status.',
            },
            {
                'name': 'no payment',
                'condition': 'payments = 0',
                'handled_by': 'Payment value 0 and payment count 0.',
            },
            {
                'name': 'several payments',
                'condition': 'payments > 1',
                'handled_by': 'Added up; the type is that of the largest payment.',
            },
            {
                'name': 'payment numbers do not start at 1',
                'condition': 'first_payment_number <> 1',
                'handled_by': 'The numbers are used for their order only.',
            },
            {
                'name': 'no review',
                'condition': 'reviews = 0',
                'handled_by': 'No score; left out of mean scores.',
            },
            {
                'name': 'several reviews',
                'condition': 'reviews > 1',
                'handled_by': 'The latest answer is the score of the order.',
            },
        ]},
        {'cte': 'order_customers', 'source_table': 'orders', 'anomalies': [
            {
                'name': 'no customer row',
                'condition': 'named_customer_id is not null and order_customer_id is null',
                'handled_by': 'Kept as a person known by this order alone, state unknown.',
            },
            {
                'name': 'no person',
                'condition': 'customer_id is null and (named_customer_id is null or order_customer_id is not null)',
                'handled_by': 'In the totals of the shop, in no table of customers.',
            },
        ]},
        {'cte': 'checked_items', 'source_table': 'order_items', 'anomalies': [
            {
                'name': 'item of an unknown order',
                'condition': 'order_id is null',
                'handled_by': 'Left out of the facts.',
            },
            {
                'name': 'item of an unknown product',
                'condition': 'product_id is null',
                'handled_by': 'Kept, category unknown.',
            },
            {
                'name': 'item of an unknown seller',
                'condition': 'seller_id is null',
                'handled_by': 'Kept, seller state unknown.',
            },
            {
                'name': 'free item',
                'condition': 'price = 0',
                'handled_by': 'Kept; its own bin in the price distribution.',
            },
            {
                'name': 'shipping limit over 180 days after purchase',
                'condition': 'days_to_shipping_limit > 180',
                'handled_by': 'Kept; a promise, no metric uses it.',
            },
        ]},
        {'cte': 'order_payments', 'source_table': 'order_payments', 'anomalies': [
            {
                'name': 'payment of zero',
                'condition': 'payment_value = 0',
                'handled_by': 'Kept; adds nothing to sums.',
            },
            {
                'name': 'payment type not defined',
                'condition': "payment_type = 'not_defined'",
                'handled_by': 'Kept as a type of its own.',
            },
            {
                'name': 'money given back',
                'condition': 'payment_value < 0',
                'handled_by': 'Taken off what its order was paid; refunded_value tells how much.',
            },
            {
                'name': 'zero instalments',
                'condition': 'installments = 0',
                'handled_by': 'Kept as written.',
            },
        ]},
        {'cte': 'order_reviews', 'source_table': 'order_reviews', 'anomalies': [
            {
                'name': 'no answer date',
                'condition': 'answered_at is null',
                'handled_by': 'Dated by its creation; counts as the score only when the order has no other.',
            },
            {
                'name': 'no creation date',
                'condition': 'created_at is null',
                'handled_by': 'Left empty; the answer date decides.',
            },
            {
                'name': 'comment over several lines',
                'condition': "comment_message like '%' || chr(10) || '%'",
                'handled_by': 'Read as one field, line breaks kept.',
            },
        ]},
        {'cte': 'order_parts', 'source_table': 'order_payments', 'rows': 'payments', 'anomalies': [
            {
                'name': 'payment of an unknown order',
                'condition': 'orders = 0',
                'handled_by': 'Left out of the facts.',
            },
        ]},
        {'cte': 'order_parts', 'source_table': 'order_reviews', 'rows': 'reviews', 'anomalies': [
            {
                'name': 'review of an unknown order',
                'condition': 'orders = 0',
                'handled_by': 'Left out of the facts.',
            },
        ]},
        {'cte': 'review_ids', 'source_table': 'order_reviews', 'rows': 'times_used', 'anomalies': [
            {
                'name': 'review id of several orders',
                'condition': 'times_used > 1',
                'handled_by': 'Review and order together are the key.',
            },
        ]},
        {'cte': 'checked_products', 'source_table': 'products', 'anomalies': [
            {
                'name': 'no category',
                'condition': 'category_name_portuguese is null',
                'handled_by': 'Category unknown.',
            },
            {
                'name': 'category without a translation',
                'condition': 'category_name_portuguese is not null and category_name_english is null',
                'handled_by': 'Keeps the name it has in the raw tables.',
            },
            {
                'name': 'no weight',
                'condition': 'weight_g is null',
                'handled_by': 'Left empty.',
            },
            {
                'name': 'weight of zero',
                'condition': 'weight_g = 0',
                'handled_by': 'Kept as written; means not known.',
            },
        ]},
        {'cte': 'checked_customers', 'source_table': 'customers', 'anomalies': [
            {
                'name': 'zip prefix not in the geolocation table',
                'condition': 'known_zip_code_prefix is null',
                'handled_by': 'State and city as in the customers table; no point on maps.',
            },
        ]},
        {'cte': 'person_spellings', 'source_table': 'customers', 'rows': 'times_used', 'anomalies': [
            {
                'name': 'person whose id differs from another only by case or blanks',
                'condition': 'is_spelt_in_several_ways = 1',
                'handled_by': 'Kept apart; all capitals here and small letters there are merged (merge_person_spellings).',
            },
        ]},
        {'cte': 'checked_sellers', 'source_table': 'sellers', 'anomalies': [
            {
                'name': 'zip prefix not in the geolocation table',
                'condition': 'known_zip_code_prefix is null',
                'handled_by': 'State and city as in the sellers table; no point on maps.',
            },
            {
                'name': 'odd city name',
                'condition': 'city <> clean_city or ' ~ is_no_city('clean_city'),
                'handled_by': 'Cleaned; where no name is left, the city of the zip prefix.',
            },
        ]},
        {'cte': 'checked_geolocation', 'source_table': 'geolocation', 'rows': 'copies', 'anomalies': [
            {
                'name': 'point outside the country',
                'condition': 'not ' ~ is_in_shop_country('latitude', 'longitude'),
                'handled_by': 'Left out of the mean position of its zip prefix.',
            },
            {
                'name': 'exact duplicate',
                'condition': 'copies > 1',
                'rows': 'copies - 1',
                'handled_by': 'Each point counts once.',
            },
            {
                'name': 'city name with accents or additions',
                'condition': 'city <> clean_city',
                'handled_by': 'Cleaned; the name given most often names the zip prefix.',
            },
        ]},
    ]) }}
{%- endmacro %}
