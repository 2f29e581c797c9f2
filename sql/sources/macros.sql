-- How text from a source is read: what it means, or why it can't be used. Built on store/clean.sql (film_id).
-- Every x_fault is null where the text can be used; it is the reason that the rejects file gives.

-- Empty cells and IMDb's \N are missing values. Numbers that went through a spreadsheet or pandas end in ".0".
create or replace temp macro given(t) as nullif(nullif(trim(t, ' ' || chr(9) || chr(10) || chr(13) || chr(160)), ''), '\N');
create or replace temp macro whole(t) as regexp_replace(given(t), '^(-?\d+)\.0+$', '\1');
-- Letters and digits only, in lower case: what two spellings of a category have in common.
create or replace temp macro letters(t) as regexp_replace(lower(t), '[^\p{L}\p{N}]', '', 'g');
create or replace temp macro quoted(t) as '''' || if(length(t) > 60, left(t, 60) || '…', t) || '''';

-- The usual forms come first in each: files have millions of them.
create or replace temp macro is_plain_id(t) as regexp_full_match(t, 'tt[0-9]{7}|tt[1-9][0-9]{7}');
create or replace temp macro id_of(t) as case
    when is_plain_id(t) then t
    when regexp_full_match(whole(t), '(?i)tt\d+') then film_id(lower(whole(t)))
    else film_id(whole(t)) end;
create or replace temp macro id_fault(t) as case
    when is_plain_id(t) and t <> 'tt0000000' then null
    when given(t) is null or lower(given(t)) = 'nan' then 'no id'
    when regexp_full_match(whole(t), '(?i)(tt)?0+') then quoted(t) || ' is no id'
    when regexp_full_match(whole(t), '(?i)(tt)?\d{1,18}') then null
    when regexp_matches(given(t), '(?i)^((tt)\d|[-+]?[\d.]+$)') then quoted(t) || ' is no id'
end;

create or replace temp macro title_fault(t) as if(given(t) is null, 'no title', null);

create or replace temp macro year_of(t) as try_cast(case
    when length(t) = 4 then t
    when regexp_full_match(whole(t), '\d+') then whole(t) end as smallint);
create or replace temp macro year_fault(t) as
    if(year_of(t) between 1870 and 2100 or given(t) is null or lower(given(t)) = 'nan', null, quoted(t) || ' is no year');

create or replace temp macro truth_of(t) as try_cast(lower(whole(t)) as boolean);
create or replace temp macro truth_fault(t) as
    if(given(t) is null or truth_of(t) is not null, null, quoted(t) || ' is neither true nor false');

create or replace temp macro severity_of(t) as coalesce(
    list_position(['none', 'mild', 'moderate', 'severe'], lower(given(t))) - 1, try_cast(whole(t) as tinyint));
create or replace temp macro severity_fault(t) as
    if(coalesce(severity_of(t), -1) between 0 and 3 and (regexp_full_match(whole(t), '\d') or not regexp_matches(given(t), '\d')),
       null, coalesce('the severity ' || quoted(given(t)), 'no severity') || '; expected None, Mild, Moderate, Severe or 0 to 3');

create or replace temp macro share_of(t) as try_cast(given(t) as double);
create or replace temp macro share_fault(name, t) as case
    when share_of(t) is null then name || ' ' || quoted(t) || ' is no number'
    when isnan(share_of(t)) or share_of(t) not between 0 and 1 then name || ' ' || quoted(t) || ' is not in 0..1'
end;

-- '["gore","blood"]' or 'gore|blood' -> a list; null for what is neither.
create or replace temp macro list_of(t) as
    if(starts_with(given(t), '['), try(from_json(given(t), '["VARCHAR"]')),
       list_transform(string_split(given(t), '|'), lambda x: trim(x)));
