-- records: grain one element of the JSON list at the variable path.
create or replace temp view records as
select row_number() over () as row, json::varchar as content, json
from read_json_objects(getvariable('path'), format = 'array', maximum_object_size = 20_000_000,
                       compression = getvariable('compression'));
