{{ recommendations(days_back=var('recommendation_test_days')) }}

select * from offers
