-- What was rejected of the source being loaded: how many rows (one may have several faults), and the first reason.
select count(distinct (row, content)), min_by('row ' || row || ': ' || reason, row) from rejects;
