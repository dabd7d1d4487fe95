-- five rows of a person stand together, and compress well
{{ config(ids_repeat=true) }}

{{ recommendations() }}

select * from offers
