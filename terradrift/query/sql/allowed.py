"""The functions of DuckDB that SQL may call: the one place where names are allowed.

A function that DuckDB brings and that is not listed here is refused, so a newer DuckDB
brings nothing new until someone has looked at it. Functions that terradrift makes itself
(`macros`, `functions`) bear names that DuckDB's own do not, and need no line here; of those
that give rows `macros.NAMES` holds the names.
"""

_OPERATORS = """
    !__postfix !~~ !~~* % & && * ** + - ->> / // <-> << <=> <@ >> @ @> ^ ^@ | || ~
    ~~ ~~* ~~~
"""
_AGGREGATES = """
    any_value approx_count_distinct approx_quantile approx_top_k arbitrary arg_max
    arg_max_null arg_max_nulls_last arg_min arg_min_null arg_min_nulls_last argmax
    argmin array_agg avg bit_and bit_or bit_xor bitstring_agg bool_and bool_or corr
    count count_if count_star countif covar_pop covar_samp cume_dist dense_rank
    entropy favg fill first first_value fsum group_concat histogram histogram_exact
    kahan_sum kurtosis kurtosis_pop lag last last_value lead list listagg mad max
    max_by mean median min min_by mode nth_value ntile percent_rank product quantile
    quantile_cont quantile_disc rank rank_dense regr_avgx regr_avgy regr_count
    regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy reservoir_quantile
    row_number sem skewness stddev stddev_pop stddev_samp string_agg sum
    sum_no_overflow sumkahan var_pop var_samp variance
"""
_OF_PLACES = """
    st_affine st_area st_area_spheroid st_asbinary st_asgeojson st_ashexwkb st_asmvt
    st_asmvtgeom st_assvg st_astext st_aswkb st_aswkt st_azimuth st_boundary
    st_buffer st_buildarea st_centroid st_closestpoint st_collect
    st_collectionextract st_concavehull st_contains st_containsproperly
    st_convexhull st_coverageclean st_coverageinvalidedges
    st_coverageinvalidedges_agg st_coveragesimplify st_coveragesimplify_agg
    st_coverageunion st_coverageunion_agg st_coveredby st_covers st_crosses st_crs
    st_difference st_dimension st_disjoint st_distance st_distance_geos
    st_distance_sphere st_distance_spheroid st_dump st_dwithin st_dwithin_geos
    st_dwithin_spheroid st_endpoint st_envelope st_envelope_agg st_equals st_expand
    st_extent st_extent_agg st_extent_approx st_exteriorring st_flipcoordinates
    st_force2d st_force3dm st_force3dz st_force4d st_geometrytype st_geomfromgeojson
    st_geomfromhexwkb st_geomfromtext st_geomfromwkb st_hasm st_hasz st_hilbert
    st_interiorringn st_interpolatepoint st_intersection st_intersection_agg
    st_intersects st_intersects_extent st_isclosed st_isempty st_isring st_issimple
    st_isvalid st_length st_length_spheroid st_lineinterpolatepoint
    st_lineinterpolatepoints st_linelocatepoint st_linemerge st_linesubstring
    st_locatealong st_locatebetween st_m st_makebox2d st_makeenvelope st_makeline
    st_makepoint st_makepolygon st_makevalid st_maximuminscribedcircle
    st_memunion_agg st_minimumrotatedrectangle st_mmax st_mmin st_multi
    st_ngeometries st_ninteriorrings st_node st_normalize st_npoints
    st_numgeometries st_numinteriorrings st_numpoints st_overlaps st_perimeter
    st_perimeter_spheroid st_point st_point2d st_point3d st_point4d st_pointn
    st_pointonsurface st_points st_polygonize st_quadkey st_reduceprecision
    st_removerepeatedpoints st_reverse st_rotate st_rotatex st_rotatey st_rotatez
    st_scale st_setcrs st_shortestline st_simplify st_simplifypreservetopology
    st_snap st_startpoint st_symdifference st_tileenvelope st_touches st_transform
    st_translate st_transscale st_union st_union_agg st_voronoidiagram st_within
    st_withinproperly st_x st_xmax st_xmin st_y st_ymax st_ymin st_z st_zmax
    st_zmflag st_zmin
"""
_OF_VALUES = """
    abs acos acosh add age aggregate ago alias apply array_aggr array_aggregate
    array_append array_apply array_cat array_concat array_contains
    array_cosine_distance array_cosine_similarity array_cross_product array_distance
    array_distinct array_dot_product array_extract array_filter array_grade_up
    array_has array_has_all array_has_any array_indexof array_inner_product
    array_intersect array_length array_negative_dot_product
    array_negative_inner_product array_pop_back array_pop_front array_position
    array_prepend array_push_back array_push_front array_reduce array_resize
    array_reverse array_reverse_sort array_select array_slice array_sort
    array_to_json array_to_string array_to_string_comma_default array_transform
    array_unique array_value array_where array_zip ascii asin asinh atan atan2 atanh
    bar base64 bin bit_count bit_length bit_position bitstring can_cast_implicitly
    cardinality cbrt ceil ceiling century char_length character_length chr combine
    concat concat_ws constant_or_null contains cos cosh cot create_sort_key
    current_database current_date current_localtime current_localtimestamp
    current_schema damerau_levenshtein date_add date_diff date_part date_sub
    date_trunc datediff datepart datesub datetrunc day dayname dayofmonth dayofweek
    dayofyear days_in_month decade decode degrees divide editdist3 element_at encode
    ends_with enum_code enum_first enum_last enum_range enum_range_boundary epoch
    epoch_ms epoch_ns epoch_us equi_width_bins era error even exp factorial fdiv
    filter finalize flatten floor fmod format format_bytes formatreadabledecimalsize
    formatreadablesize from_base64 from_binary from_hex from_json from_json_strict
    gamma gcd gen_random_uuid generate_series generate_subscripts geomean
    geometric_mean get_bit get_current_time get_current_timestamp get_type grade_up
    greatest greatest_common_divisor hamming hash hex hour ilike_escape instr
    is_histogram_other_bin isfinite isinf isnan isodow isoyear jaccard
    jaro_similarity jaro_winkler_similarity json json_array json_array_length
    json_contains json_exists json_extract json_extract_path json_extract_path_text
    json_extract_string json_group_array json_group_object json_keys
    json_merge_patch json_object json_pretty json_quote json_structure
    json_transform json_transform_strict json_type json_valid json_value julian
    last_day lcase lcm least least_common_multiple left left_grapheme len length
    length_grapheme levenshtein lgamma like_escape list_aggr list_aggregate
    list_any_value list_append list_apply list_approx_count_distinct list_avg
    list_bit_and list_bit_or list_bit_xor list_bool_and list_bool_or list_cat
    list_concat list_contains list_cosine_distance list_cosine_similarity list_count
    list_distance list_distinct list_dot_product list_element list_entropy
    list_extract list_filter list_first list_grade_up list_has list_has_all
    list_has_any list_histogram list_indexof list_inner_product list_intersect
    list_kurtosis list_kurtosis_pop list_last list_mad list_max list_median list_min
    list_mode list_negative_dot_product list_negative_inner_product list_pack
    list_position list_prepend list_product list_reduce list_resize list_reverse
    list_reverse_sort list_select list_sem list_skewness list_slice list_sort
    list_stddev_pop list_stddev_samp list_string_agg list_sum list_transform
    list_unique list_value list_var_pop list_var_samp list_where list_zip ln log
    log10 log2 lower lpad ltrim make_date make_time make_timestamp make_timestamp_ms
    make_timestamp_ns make_timestamptz make_type map map_concat map_contains
    map_contains_entry map_contains_value map_entries map_extract map_extract_value
    map_from_entries map_keys map_values md5 md5_number md5_number_lower
    md5_number_upper microsecond millennium millisecond minute mismatches mod month
    monthname multiply nanosecond nextafter nfc_normalize normalized_interval
    not_ilike_escape not_like_escape now nullif octet_length ord parse_dirname
    parse_dirpath parse_filename parse_formatted_bytes parse_path pg_size_pretty
    pg_typeof pi position pow power prefix printf quarter radians random range
    reduce regexp_escape regexp_extract regexp_extract_all regexp_full_match
    regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table
    remap_struct repeat replace replace_type reverse right right_grapheme round
    round_even roundbankers row row_to_json rpad rtrim second set_bit sha1 sha256
    sign signbit sin sinh split split_part sqrt starts_with str_split
    str_split_regex strftime string_split string_split_regex string_to_array
    strip_accents strlen strpos strptime struct_concat struct_contains
    struct_extract struct_extract_at struct_has struct_indexof struct_insert
    struct_keys struct_pack struct_position struct_update struct_values substr
    substring substring_grapheme subtract suffix switch tan tanh time_bucket
    timetz_byte_comparable timezone timezone_hour timezone_minute to_base to_base64
    to_binary to_centuries to_days to_decades to_hex to_hours to_json
    to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters
    to_seconds to_timestamp to_weeks to_years today transaction_timestamp translate
    trim trunc try_strptime typeof ucase unbin unhex unicode union_extract union_tag
    union_value unpivot_list upper url_decode url_encode uuid uuid_extract_timestamp
    uuid_extract_version uuidv4 uuidv7 version wavg week weekday weekofyear
    weighted_avg xor year yearweek
"""
_REFUSED = """
    __internal_compress_integral_ubigint __internal_compress_integral_uinteger
    __internal_compress_integral_usmallint __internal_compress_integral_utinyint
    __internal_compress_string_hugeint __internal_compress_string_ubigint
    __internal_compress_string_uhugeint __internal_compress_string_uinteger
    __internal_compress_string_usmallint __internal_compress_string_utinyint
    __internal_decompress_integral_bigint __internal_decompress_integral_hugeint
    __internal_decompress_integral_integer __internal_decompress_integral_smallint
    __internal_decompress_integral_ubigint __internal_decompress_integral_uhugeint
    __internal_decompress_integral_uinteger __internal_decompress_integral_usmallint
    __internal_decompress_string cast_to_type col_description current_catalog
    current_connection_id current_query current_query_id current_role
    current_schemas current_setting current_transaction_id current_user currval
    duckdb_proj_compiled_version duckdb_proj_version format_pg_type format_type
    get_block_size getvariable has_any_column_privilege has_column_privilege
    has_database_privilege has_foreign_data_wrapper_privilege has_function_privilege
    has_language_privilege has_schema_privilege has_sequence_privilege
    has_server_privilege has_table_privilege has_tablespace_privilege in_search_path
    inet_client_addr inet_client_port inet_server_addr inet_server_port
    json_deserialize_sql json_group_structure json_serialize_plan json_serialize_sql
    map_to_pg_oid nextval obj_description parse_duckdb_log_message
    pg_collation_is_visible pg_conf_load_time pg_conversion_is_visible
    pg_function_is_visible pg_get_constraintdef pg_get_expr pg_get_viewdef
    pg_has_role pg_is_other_temp_schema pg_my_temp_schema pg_opclass_is_visible
    pg_operator_is_visible pg_opfamily_is_visible pg_postmaster_start_time pg_sleep
    pg_table_is_visible pg_ts_config_is_visible pg_ts_dict_is_visible
    pg_ts_parser_is_visible pg_ts_template_is_visible pg_type_is_visible
    session_user setseed shobj_description sleep_ms st_geomfromhexewkb
    st_linestring2dfromwkb st_point2dfromwkb st_polygon2dfromwkb stats txid_current
    user variant_bytes_to_variant variant_extract variant_normalize
    variant_to_parquet_variant variant_typeof vector_type write_log
"""
_TABLE_FUNCTIONS_REFUSED = """
    arrow_scan arrow_scan_dumb checkpoint disable_logging disable_profiling
    duckdb_approx_database_count duckdb_connection_count duckdb_constraints
    duckdb_coordinate_systems duckdb_databases duckdb_dependencies duckdb_extensions
    duckdb_external_file_cache duckdb_indexes duckdb_keywords duckdb_log_contexts
    duckdb_logs duckdb_logs_parsed duckdb_memory duckdb_optimizers
    duckdb_prepared_statements duckdb_profiling_settings duckdb_schemas
    duckdb_secret_types duckdb_secrets duckdb_sequences duckdb_settings
    duckdb_table_sample duckdb_temporary_files duckdb_variables duckdb_views
    enable_logging enable_profiling force_checkpoint glob icu_calendar_names
    json_execute_serialized_sql pandas_scan parquet_bloom_probe
    parquet_file_metadata parquet_full_metadata parquet_kv_metadata parquet_metadata
    parquet_scan parquet_schema pg_timezone_names pragma_collations
    pragma_database_size pragma_metadata_info pragma_platform
    pragma_rtree_index_info pragma_show pragma_storage_info pragma_user_agent
    pragma_version python_map_function query query_table read_blob read_csv
    read_csv_auto read_duckdb read_json read_json_auto read_json_objects
    read_json_objects_auto read_ndjson read_ndjson_auto read_ndjson_objects
    read_parquet read_text repeat_row rtree_index_dump rtree_index_scan seq_scan
    shapefile_meta sniff_csv st_drivers st_read st_read_meta st_readosm st_readshp
    test_all_types test_vector_types truncate_duckdb_logs which_secret
"""

FUNCTIONS = frozenset(f"{_OPERATORS} {_AGGREGATES} {_OF_PLACES} {_OF_VALUES}".split())
"""Functions of values, all of which only compute; collations (`icu_`) come beside."""

TABLE_FUNCTIONS = frozenset(
    {
        "duckdb_columns",
        "duckdb_functions",
        "duckdb_tables",
        "duckdb_types",
        "generate_series",
        "histogram",
        "histogram_values",
        "json_each",
        "json_tree",
        "pragma_table_info",
        "range",
        "repeat",
        "series",
        "similar_changes",
        "st_generatepoints",
        "summary",
        "unnest",
    }
)
"""Table functions that only compute, or describe the tables."""

VIEWS = frozenset({"columns", "schemata", "tables"})
"""Views of `information_schema`, of all that DuckDB brings, that may be read."""

REFUSED = frozenset(_REFUSED.split())
"""Looked at and not allowed: they wait, write, tell of settings, sessions and other
questions, run a text as SQL, or call themselves as deep as what they read is nested."""

TABLE_FUNCTIONS_REFUSED = frozenset(_TABLE_FUNCTIONS_REFUSED.split())
"""Looked at and not allowed: they read files or memory, or tell of settings and paths."""


def function(name: str) -> bool:
    """Whether DuckDB's function of values `name` (lower case) may be called."""
    return name in FUNCTIONS or name.startswith("icu_")
