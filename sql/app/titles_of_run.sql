-- grain: title and year as written in the run $run that was not found ('unresolved'); or found with doubt ('doubtful'), x film that it
-- was taken for and how.
-- The most frequent of each kind first, at most $most of each; times: occurrences. Built on unresolved_titles, doubtful_titles.
(
    select
        'unresolved' as kind, title, year, times, trend,
        null as imdb_id, null as matched_title, null as matched_year, null as match_method, null as match_score
    from unresolved_titles where run_id = $run
    order by times desc, title, year limit $most
)
union all
(
    select
        'doubtful', title, year, times, null,
        imdb_id, matched_title, matched_year, match_method, match_score
    from doubtful_titles where run_id = $run
    order by times desc, title, year, imdb_id, match_method limit $most
);
