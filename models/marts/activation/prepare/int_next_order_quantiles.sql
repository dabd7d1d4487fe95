with curves as (

    select * from {{ ref('int_next_order_curves') }}

),

-- Half, and four in five, of those who have waited until a step have come by the end of another.
final as (

    select
        earlier.standing,
        earlier.basis,
        earlier.curve,
        earlier.bin,
        min(
            case
                when
                    {{ rounded('later.log_staying - earlier.log_staying + earlier.log_step', 9) }}
                    <= {{ rounded('ln(0.5e0)', 9) }}
                    then later.bin
            end
        ) + 1 as median_bin,
        min(
            case
                when
                    {{ rounded('later.log_staying - earlier.log_staying + earlier.log_step', 9) }}
                    <= {{ rounded('ln(0.2e0)', 9) }}
                    then later.bin
            end
        ) + 1 as four_fifths_bin
    from curves as earlier
    inner join curves as later
        on
            earlier.standing = later.standing
            and earlier.basis = later.basis
            and earlier.curve = later.curve
            and earlier.bin <= later.bin
    group by 1, 2, 3, 4

)

select * from final
