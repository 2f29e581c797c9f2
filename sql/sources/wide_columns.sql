-- wide_columns: grain one column of raw that rates a category; empty where a row names its category.
create or replace temp table wide_columns as from wide_rows;
