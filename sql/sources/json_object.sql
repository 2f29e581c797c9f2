-- records: the one object of the JSON file at the variable path.
create or replace temp view records as
select 1 as row, json::varchar as content, json
from read_json_objects(getvariable('path'), format = 'unstructured', maximum_object_size = 200_000_000,
                       compression = getvariable('compression'));
