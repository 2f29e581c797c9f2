-- The tables of a store. Every other file of this folder builds on this one.
-- IMDb ids are 'tt' and at least seven digits; years are those of the first release; null = not known.

create table store_info (            -- grain: the store, one row
    schema_version integer not null, -- the store's format: STORE_FORMAT of oracle/store/file.py when it was built
    created_at     timestamptz not null,
    description    varchar
);

create table sources (               -- grain: one load of one source; source_id 0 = handed over in memory
    source_id      integer primary key,
    path           varchar,
    kind           varchar,
    rows_read      bigint,
    rows_rejected  bigint,
    loaded_at      timestamptz not null default current_timestamp
);

create table titles (                -- grain: source x title of one film
    imdb_id        varchar not null,
    title          varchar not null,
    year           smallint,
    is_primary     boolean not null default true,
    source_id      integer
);

create table catalog (               -- grain: source x film that may be recommended (the ground-truth catalog)
    title          varchar not null,
    year           smallint,
    imdb_id        varchar           -- null: matched by title and year only
);

create table traits (                -- grain: one kind of content that a person may want avoided
    trait          varchar primary key,
    ordinal        integer not null
);

create table trait_tags (            -- grain: trait x content tag that triggers it
    trait          varchar not null,
    tag            varchar not null
);

create table trait_weights (         -- grain: trait x Parent Guide category; weight >= 0
    trait          varchar not null,
    category       varchar not null,
    weight         double not null
);

create table trait_synonyms (        -- grain: trait x everyday word for it
    trait          varchar not null,
    synonym        varchar not null
);

create table tag_synonyms (          -- grain: content tag x other wording of it, whichever trait asks for it
    tag            varchar not null,
    synonym        varchar not null
);

create table film_tags (             -- grain: source x film x content tag that it carries
    imdb_id        varchar not null,
    tag            varchar not null,
    source_id      integer
);

create table tag_coverage (          -- grain: source of tags x film that it was asked about; all answers may have been "no"
    imdb_id        varchar not null,
    source_id      integer
);

create table film_severities (       -- grain: source x film x Parent Guide category; 0 None, 1 Mild, 2 Moderate, 3 Severe
    imdb_id        varchar not null,
    category       varchar not null,
    severity       tinyint not null,
    source_id      integer
);

create table given_risk (            -- grain: film x trait whose risk a source delivers ready-made; risks in 0..1
    imdb_id        varchar not null,
    trait          varchar not null,
    risk           double not null,
    pg_risk        double,
    tag_trigger    double,
    hit_tags       varchar[],
    source         varchar           -- as the source calls it
);

create table title_alias (           -- grain: a way to write a film that a person confirmed; first in matching
    title          varchar not null,
    year           smallint,         -- null: the alias holds for queries without a year
    imdb_id        varchar not null,
    confirmed_at   timestamptz not null default current_timestamp
);

create table other_ids (             -- grain: id of a film elsewhere; kind is 'movielens' or 'tmdb'
    kind           varchar not null,
    id             varchar not null,
    imdb_id        varchar not null,
    source_id      integer
);

create table domain (                -- grain: the store, one row; what it recommends, if not films
    noun           varchar not null default 'film',
    nouns          varchar not null default 'films',
    numeric_ids    boolean not null default false, -- ids that are numbers stay what they are; else they are IMDb's
    first_words    boolean not null default false, -- a title is found by its first words too (titles/keys.sql)
    ask            varchar           -- how a request ends that asks for a list; null: the films' own
);
insert into domain default values;
