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
    when regexp_matches(given(t), '[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]') then 'the id ' || quoted(t) || ' has a character that nobody sees'
    when regexp_full_match(whole(t), '(?i)(tt)?0+') then quoted(t) || ' is no id'
    when regexp_full_match(whole(t), '(?i)(tt)?\d{1,18}') then null
    when regexp_matches(given(t), '(?i)^((tt)\d|[-+]?[\d.]+$)') then quoted(t) || ' is no id'
end;

-- A title may have what joins or parts letters unseen (Persian, Hindi), and what a wrong encoding left. What steers a terminal or
-- turns a line around is in no title.
create or replace temp macro title_fault(t) as case
    when given(t) is null or not regexp_matches(t, '[^\p{C}\p{Z}]') then 'no title'
    when regexp_matches(t, '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{202a}-\x{202e}\x{2066}-\x{2069}]')
        then 'the title ' || quoted(t) || ' has a control character'
end;

-- A year stands alone ('1995', '1995.0'), in a date ('2018-10-03', '3 Oct 2018', '10/03/2018') or begins a span ('2008–2013').
create or replace temp macro year_text(t) as case
    when length(t) = 4 then t
    when regexp_full_match(whole(t), '\d+') then whole(t)
    when regexp_matches(given(t), '^\(?\d{4}\)?$|^\d{4}[-/.]\d{1,2}([-/.]\d{1,2}([T ].*)?)?$|^\d{4} ?[-–—] ?(\d{4})?$') then regexp_extract(t, '\d{4}')
    when regexp_matches(given(t), '^(\d{1,2}[-/. ]\d{1,2}|\p{L}{3,9}\.? \d{1,2},?|\d{1,2}\.? \p{L}{3,9}|\p{L}{3,9})[-/. ]\d{4}$') then regexp_extract(t, '(\d{4})\D*$', 1)
end;
create or replace temp macro year_of(t) as try_cast(year_text(t) as smallint);
create or replace temp macro year_fault(t) as
    if(year_of(t) between 1870 and 2100 or given(t) is null or lower(given(t)) in ('nan', 'nat', 'none', 'null'), null,
       quoted(t) || ' is no year');

create or replace temp macro truth_of(t) as try_cast(lower(whole(t)) as boolean);
create or replace temp macro truth_fault(t) as
    if(given(t) is null or truth_of(t) is not null, null, quoted(t) || ' is neither true nor false');

create or replace temp macro levels() as ['none', 'mild', 'moderate', 'severe'];
create or replace temp macro vote_count(t) as coalesce(try_cast(whole(t) as bigint), 0);
create or replace temp macro is_count(t) as given(t) is null or coalesce(try_cast(whole(t) as bigint), -1) >= 0;
-- Votes a level as text, none to severe -> the level with the most votes, of several the most severe; null without votes;
-- where one is no count, a text that is no severity and says so.
create or replace temp macro most_voted(votes) as coalesce(
    'votes ' || list_filter(votes, lambda v: not is_count(v))[1],
    levels()[list_max(list_transform([0, 1, 2, 3], lambda level: if(
        vote_count(votes[level + 1]) > 0 and vote_count(votes[level + 1]) = list_max(list_transform(votes, lambda v: vote_count(v))), level + 1, null)))]);
-- A severity as JSON: a word, a number, or {"status": word, "votes": {level: count}}.
create or replace temp macro severity_text(json) as if(json_type(json) <> 'OBJECT', json ->> '$', coalesce(
    json ->> '$.status', json ->> '$.severity',
    most_voted(list_transform(['None', 'Mild', 'Moderate', 'Severe'], lambda level: coalesce(
        json_extract_string(json, '$.votes.' || level), json_extract_string(json, '$.votes.' || lower(level)),
        json_extract_string(json, '$.' || level), json_extract_string(json, '$.' || lower(level)))))));
-- Votes a level in one cell, '{"None": 1, "Severe": 20}' or 'None: 1, Severe: 20' -> [none, ..., severe] as text.
create or replace temp macro votes_in(t) as list_transform(levels(), lambda level:
    nullif(replace(regexp_extract(lower(t), level || '[''" ]*[:=] *(-?\d[\d,]*\d|-?\d)', 1), ',', ''), ''));
create or replace temp macro cell_severity(t) as if(list_count(votes_in(t)) > 1, most_voted(votes_in(t)), t);
-- A number between two levels, such as the mean of votes, is the nearer one, of two the more severe.
create or replace temp macro severity_of(t) as coalesce(
    list_position(levels(), lower(regexp_extract(given(t), '^(?i)(none|mild|moderate|severe)\b', 1))) - 1,
    try_cast(floor(try_cast(given(t) as double) + 0.5) as tinyint));
create or replace temp macro severity_fault(t) as
    if(coalesce(severity_of(t), -1) between 0 and 3 and (coalesce(try_cast(given(t) as double) between 0 and 3, false) or regexp_full_match(given(t), '\p{L}+( ?\([\d,.]+.*\))?')),
       null, if(starts_with(t, 'votes '), quoted(t[7:]) || ' is no count of votes',
                coalesce('the severity ' || quoted(given(t)), 'no severity') || '; expected None, Mild, Moderate, Severe or 0 to 3'));

-- The Parent Guide's category of a usual name for it, in the form of letters(); null for other names.
create or replace temp macro guide_category(l) as case
    when regexp_full_match(l, '(sex|nudity|sex(and)?nudity)(severity|rating|level|status)?') then 'Sex & Nudity'
    when regexp_full_match(l, '(violence|gore|violence(and)?gore)(severity|rating|level|status)?') then 'Violence & Gore'
    when regexp_full_match(l, '(profanity|swearing)(severity|rating|level|status)?') then 'Profanity'
    when regexp_full_match(l, '(alcohol|drugs?|smoking|alcohol(and)?drugs?|alcoholdrugs?(and)?smoking)(severity|rating|level|status)?') then 'Alcohol, Drugs & Smoking'
    when regexp_full_match(l, '(frightening|intense|frightening(and)?intense|(frightening|intense|frightening(and)?intense)scenes?)(severity|rating|level|status)?')
        then 'Frightening & Intense Scenes'
end;

create or replace temp macro share_of(t) as try_cast(given(t) as double);
create or replace temp macro share_fault(name, t) as case
    when share_of(t) is null then name || ' ' || quoted(t) || ' is no number'
    when isnan(share_of(t)) or share_of(t) not between 0 and 1 then name || ' ' || quoted(t) || ' is not in 0..1'
end;

-- '["gore","blood"]', 'gore|blood', 'gore, blood' or [{'id': 1, 'name': 'gore'}] as JSON or Python writes it -> a list;
-- null for what is none.
create or replace temp macro unescaped(t) as regexp_replace(t, '\\(.)', '\1', 'g');
create or replace temp macro names_in(t) as list_transform(
    regexp_extract_all(t, '[''"](?:name|title)[''"]: *(''(?:[^''\\]|\\.)*''|"(?:[^"\\]|\\.)*")', 1), lambda x: unescaped(x[2:-2]));
create or replace temp macro texts_in(t) as list_transform(
    regexp_extract_all(t, '(''(?:[^''\\]|\\.)*''|"(?:[^"\\]|\\.)*")'), lambda x: unescaped(x[2:-2]));
create or replace temp macro parts_of(t) as
    list_transform(regexp_split_to_array(t, if(contains(t, '|'), '\|', '[,;]')), lambda x: trim(x));
create or replace temp macro list_of(t) as case
    when regexp_full_match(given(t), '\[\s*\]') then []
    when regexp_matches(given(t), '^\[\s*\{') then if(ends_with(given(t), ']') and len(names_in(t)) > 0, names_in(t), null)
    when starts_with(given(t), '[') then coalesce(try(from_json(given(t), '["VARCHAR"]')),
        if(ends_with(given(t), ']') and len(texts_in(t)) > 0, texts_in(t), null))
    else parts_of(given(t)) end;
