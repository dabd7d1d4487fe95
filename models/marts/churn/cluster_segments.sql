with

clusters as (

    select * from {{ ref('customer_clusters') }}

),

segments as (

    select * from {{ ref('customer_segments') }}

),

pairs as (

    select
        clusters.cluster,
        clusters.cluster_profile,
        segments.rfm_segment,
        count(*) as customers
    from clusters
    inner join segments on clusters.customer_id = segments.customer_id
    group by clusters.cluster, clusters.cluster_profile, segments.rfm_segment

),

margins as (

    select
        pairs.*,
        sum(pairs.customers) over (partition by pairs.cluster) as cluster_customers,
        sum(pairs.customers) over (partition by pairs.rfm_segment) as segment_customers,
        sum(pairs.customers) over () as all_customers
    from pairs

),

-- Pairs of customers that both groupings put together, that each puts together, and that there are at all.
pair_counts as (

    select
        max(cast(all_customers as double)) * (max(cast(all_customers as double)) - 1) / 2 as all_pairs,
        sum(cast(customers as double) * (customers - 1) / 2) as pairs_together_in_both
    from margins

),

cluster_sizes as (

    select
        cluster,
        max(cluster_customers) as customers
    from margins
    group by cluster

),

segment_sizes as (

    select
        rfm_segment,
        max(segment_customers) as customers
    from margins
    group by rfm_segment

),

cluster_pair_counts as (

    select sum(cast(customers as double) * (customers - 1) / 2) as pairs_in_clusters
    from cluster_sizes

),

segment_pair_counts as (

    select sum(cast(customers as double) * (customers - 1) / 2) as pairs_in_segments
    from segment_sizes

),

agreement as (

    select
        {{ ratio(
            'pair_counts.pairs_together_in_both - cluster_pair_counts.pairs_in_clusters'
            ~ ' * segment_pair_counts.pairs_in_segments / nullif(pair_counts.all_pairs, 0)',
            '(cluster_pair_counts.pairs_in_clusters + segment_pair_counts.pairs_in_segments) / 2'
            ~ ' - cluster_pair_counts.pairs_in_clusters * segment_pair_counts.pairs_in_segments'
            ~ ' / nullif(pair_counts.all_pairs, 0)',
            6,
        ) }} as adjusted_rand_index
    from pair_counts
    cross join cluster_pair_counts
    cross join segment_pair_counts

),

final as (

    select
        margins.cluster,
        margins.cluster_profile,
        margins.rfm_segment,
        margins.customers,
        {{ ratio('margins.customers', 'margins.cluster_customers') }} as share_of_cluster,
        {{ ratio('margins.customers', 'margins.segment_customers') }} as share_of_segment,
        agreement.adjusted_rand_index
    from margins
    cross join agreement

)

select * from final
