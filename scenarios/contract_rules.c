/*
 * What a contract's quality rules ask of the stores, as SQL.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/array.h"
#include "scenarios/contract_parts.h"
#include "scenarios/nearest.h"
#include "scenarios/odcs_shape.h"

/* ---- Texts ---- */

/* What a rule is about: an object, and a property of it or NULL. */
struct target {
    const struct marked *object, *property;
    const char *table, *column; /* quoted for SQL */
};

/* Quoted as SQL wants it; NULL with the error set. */
static const char *quoted(struct contract_reading *r, char mark, const char *text) {
    size_t length = strlen(text), at = 0;
    char *out = scenario_alloc(r->memory, 2 * length + 3);
    if (out == NULL) {
        scenario_error_memory(r->error);
        return NULL;
    }
    out[at++] = mark;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == mark) {
            out[at++] = mark;
        }
        out[at++] = text[i];
    }
    out[at] = mark;
    return out;
}

static const char *physical_name(const struct marked *element) {
    const struct marked *physical = marked_find(element, "physicalName");
    return physical == NULL ? marked_find(element, "name")->text : physical->text;
}

static bool is_table(const struct marked *object) {
    const struct marked *type = marked_find(object, "physicalType");
    return type != NULL && strcmp(type->text, "table") == 0;
}

/* `{object}` and `{property}` in a query, filled in. */
static const char *filled_in(struct contract_reading *r, const char *query,
                             const struct target *target) {
    static const char object[] = "{object}", property[] = "{property}";
    const char *out = "";
    while (out != NULL && *query != '\0') {
        size_t plain = strcspn(query, "{");
        bool is_object = strncmp(query + plain, object, sizeof object - 1) == 0;
        bool is_property =
            target->column != NULL && strncmp(query + plain, property, sizeof property - 1) == 0;
        size_t skip = is_object ? sizeof object - 1 : is_property ? sizeof property - 1 : 0;
        bool brace = skip == 0 && query[plain] == '{';
        out = contract_textf(r, "%s%.*s%s", out, (int)(plain + brace), query,
                             is_object     ? target->table
                             : is_property ? target->column
                                           : "");
        query += plain + skip + brace;
    }
    return out;
}

/* ---- Operators ---- */

bool contract_rule_holds(const struct contract_rule *rule, double value) {
    switch (rule->compare) {
    case RULE_BE:
        return value >= rule->low && value <= rule->low;
    case RULE_NOT_BE:
        return value < rule->low || value > rule->low;
    case RULE_GREATER:
        return value > rule->low;
    case RULE_GREATER_OR_EQUAL:
        return value >= rule->low;
    case RULE_LESS:
        return value < rule->low;
    case RULE_LESS_OR_EQUAL:
        return value <= rule->low;
    case RULE_BETWEEN:
        return value >= rule->low && value <= rule->high;
    case RULE_NOT_BETWEEN:
        return value < rule->low || value > rule->high;
    case RULE_OPERATOR_COUNT:
        break;
    }
    return false;
}

void contract_rule_wants(const struct contract_rule *rule, char text[RULE_TEXT_SIZE]) {
    static const char *const signs[] = {"", "not ", "> ", ">= ", "< ", "<= "};
    const char *unit = rule->total == NULL ? "" : " %";
    if (rule->compare == RULE_BETWEEN || rule->compare == RULE_NOT_BETWEEN) {
        snprintf(text, RULE_TEXT_SIZE, "%sfrom %g to %g%s",
                 rule->compare == RULE_BETWEEN ? "" : "not ", rule->low, rule->high, unit);
    } else {
        snprintf(text, RULE_TEXT_SIZE, "%s%g%s", signs[rule->compare], rule->low, unit);
    }
}

static int read_operator(struct contract_reading *r, const struct marked *rule,
                         struct contract_rule *out) {
    const struct marked *found = NULL;
    for (size_t i = 0; odcs_operator(i) != NULL; i++) {
        const struct marked *value = marked_find(rule, odcs_operator(i));
        if (value != NULL && found != NULL) {
            return marked_fail(r->file, value, true, r->error,
                               "a rule has one operator, and %s is there", found->key);
        }
        if (value != NULL) {
            found = value;
            out->compare = (enum rule_operator)i;
        }
    }
    if (found == NULL) {
        return marked_fail(r->file, rule, false, r->error,
                           "an operator is missing, such as mustBe or mustBeLessThan");
    }
    if (found->kind == MARKED_LIST) {
        out->low = found->first->number;
        out->high = found->last->number;
        return 0;
    }
    if (found->kind != MARKED_INTEGER && found->kind != MARKED_NUMBER) {
        return marked_fail(r->file, found, false, r->error, "takes a number, not %s",
                           marked_kind_name(found->kind));
    }
    out->low = found->number;
    return 0;
}

static int read_unit(struct contract_reading *r, const struct marked *rule,
                     const struct target *target, struct contract_rule *out) {
    const struct marked *unit = marked_find(rule, "unit");
    if (unit == NULL || strcmp(unit->text, "rows") == 0) {
        return 0;
    }
    if (strcmp(unit->text, "percent") != 0) {
        return marked_fail(r->file, unit, false, r->error,
                           "takes one of rows, percent, not \"%.40s\"", unit->text);
    }
    out->total = contract_textf(r, "SELECT count(*) FROM %s", target->table);
    return out->total == NULL ? -1 : 0;
}

/* ---- Library metrics ---- */

static const struct marked *argument(const struct marked *rule, const char *name) {
    return marked_find(marked_find(rule, "arguments"), name);
}

/* "a, b" of the values of a list; *null says whether it holds one. */
static const char *value_list(struct contract_reading *r, const struct marked *list, bool *null) {
    const char *out = "";
    *null = false;
    for (const struct marked *at = list->first; out != NULL && at != NULL; at = at->next) {
        if (at->kind == MARKED_NULL) {
            *null = true;
            continue;
        }
        if (at->text == NULL) {
            marked_fail(r->file, at, false, r->error, "takes a text or a number, not %s",
                        marked_kind_name(at->kind));
            return NULL;
        }
        const char *one = at->kind == MARKED_TEXT ? quoted(r, '\'', at->text) : at->text;
        out = one == NULL ? NULL : contract_textf(r, "%s%s%s", out, *out == '\0' ? "" : ", ", one);
    }
    return out;
}

/* The list that a metric needs. */
static const struct marked *needed_list(struct contract_reading *r, const struct marked *rule,
                                        const char *metric, const char *name) {
    const struct marked *list = argument(rule, name);
    if (list == NULL) {
        marked_fail(r->file, rule, false, r->error, "%s needs the argument \"%s\"", metric, name);
    } else if (list->kind != MARKED_LIST || list->count == 0) {
        marked_fail(r->file, list, false, r->error, "takes a list of values");
        list = NULL;
    }
    return list;
}

static const char *counted_where(struct contract_reading *r, const struct target *target,
                                 const char *where) {
    return where == NULL
               ? NULL
               : contract_textf(r, "SELECT count(*) FROM %s WHERE %s", target->table, where);
}

static const char *missing_sql(struct contract_reading *r, const struct marked *rule,
                               const struct target *target) {
    const struct marked *list = needed_list(r, rule, "missingValues", "missingValues");
    bool null;
    const char *values = list == NULL ? NULL : value_list(r, list, &null);
    return values == NULL
               ? NULL
               : counted_where(r, target,
                               contract_textf(r, "%s IN (%s)%s%s%s", target->column, values,
                                              null ? " OR " : "", null ? target->column : "",
                                              null ? " IS NULL" : ""));
}

static const char *invalid_sql(struct contract_reading *r, const struct marked *rule,
                               const struct target *target) {
    const struct marked *pattern = argument(rule, "pattern");
    if (pattern != NULL) {
        marked_fail(r->file, pattern, true, r->error,
                    "patterns are not evaluated; a rule of type sql can do with GLOB");
        return NULL;
    }
    const struct marked *list = needed_list(r, rule, "invalidValues", "validValues");
    bool null;
    const char *values = list == NULL ? NULL : value_list(r, list, &null);
    return values == NULL
               ? NULL
               : counted_where(r, target,
                               contract_textf(r, "%s NOT IN (%s)", target->column, values));
}

/* Rows beyond the first of each key. */
static const char *duplicates_of(struct contract_reading *r, const struct target *target,
                                 const char *columns) {
    return contract_textf(
        r, "SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM %s GROUP BY %s)",
        target->table, columns);
}

static const char *duplicate_sql(struct contract_reading *r, const struct marked *rule,
                                 const struct target *target) {
    if (target->column != NULL) {
        return contract_textf(r, "SELECT count(%s) - count(DISTINCT %s) FROM %s", target->column,
                              target->column, target->table);
    }
    const struct marked *list = needed_list(r, rule, "duplicateValues", "properties");
    const char *columns = list == NULL ? NULL : "";
    for (const struct marked *at = list == NULL ? NULL : list->first; columns != NULL && at != NULL;
         at = at->next) {
        if (at->kind != MARKED_TEXT) {
            marked_fail(r->file, at, false, r->error, "takes the name of a property, not %s",
                        marked_kind_name(at->kind));
            return NULL;
        }
        const char *one = quoted(r, '"', at->text);
        columns = one == NULL
                      ? NULL
                      : contract_textf(r, "%s%s%s", columns, *columns == '\0' ? "" : ", ", one);
    }
    return columns == NULL ? NULL : duplicates_of(r, target, columns);
}

static const char *library_sql(struct contract_reading *r, const struct marked *rule,
                               const struct target *target) {
    const struct marked *metric = marked_find(rule, "metric");
    if (metric == NULL) {
        marked_fail(r->file, rule, false, r->error, "the key \"metric\" is missing");
        return NULL;
    }
    bool of_rows = strcmp(metric->text, "rowCount") == 0;
    bool of_either = strcmp(metric->text, "duplicateValues") == 0;
    if (!of_either && of_rows != (target->column == NULL)) {
        marked_fail(r->file, metric, false, r->error, "%s is asked of %s", metric->text,
                    of_rows ? "an object, not of a property" : "a property, not of an object");
        return NULL;
    }
    return of_rows     ? contract_textf(r, "SELECT count(*) FROM %s", target->table)
           : of_either ? duplicate_sql(r, rule, target)
           : strcmp(metric->text, "nullValues") == 0
               ? counted_where(r, target, contract_textf(r, "%s IS NULL", target->column))
           : strcmp(metric->text, "missingValues") == 0 ? missing_sql(r, rule, target)
                                                        : invalid_sql(r, rule, target);
}

/* ---- Rules ---- */

static int add_rule(struct contract_reading *r, const struct contract_rule *rule) {
    struct seam_contract *c = r->out;
    if (c->rule_count == r->rule_capacity) {
        size_t capacity = r->rule_capacity == 0 ? 8 : 2 * r->rule_capacity;
        struct contract_rule *rules = scenario_alloc(r->memory, capacity * sizeof *rules);
        if (rules == NULL) {
            return scenario_error_memory(r->error);
        }
        if (c->rule_count > 0) {
            memcpy(rules, c->rules, c->rule_count * sizeof *rules);
        }
        c->rules = rules;
        r->rule_capacity = capacity;
    }
    c->rules[c->rule_count++] = *rule;
    return 0;
}

/* Two rules of one name could not be told apart in a report. */
static int check_name(struct contract_reading *r, const struct marked *place, const char *name) {
    for (size_t i = 0; i < r->out->rule_count; i++) {
        if (strcmp(r->out->rules[i].name, name) == 0) {
            return marked_fail(r->file, place, false, r->error,
                               "the contract has a rule \"%.80s\" already: give each a name", name);
        }
    }
    return 0;
}

static const char *default_name(struct contract_reading *r, const struct marked *rule,
                                const struct target *target) {
    const struct marked *metric = marked_find(rule, "metric");
    const char *what = metric == NULL ? "sql" : metric->text;
    const char *element =
        marked_find(target->property == NULL ? target->object : target->property, "name")->text;
    return contract_textf(r, "%s of %s", what, element);
}

/* The query can be asked of the tables that there are. */
static int check_sql(struct contract_reading *r, const struct marked *place, const char *sql) {
    char why[200];
    if (store_tables_check(r->tables, sql, why, sizeof why) != 0) {
        return marked_fail(r->file, place, false, r->error, "%s", why);
    }
    return 0;
}

static int read_rule(struct contract_reading *r, const struct marked *rule,
                     const struct target *target) {
    const struct marked *type = marked_find(rule, "type");
    const struct marked *name = marked_find(rule, "name");
    const struct marked *about = marked_find(rule, "description");
    const struct marked *query = marked_find(rule, "query");
    if (type != NULL && strcmp(type->text, "text") == 0) {
        return 0;
    }
    if (type != NULL && strcmp(type->text, "custom") == 0) {
        return marked_fail(r->file, type, false, r->error,
                           "no engine of others is asked here: say it as library or sql");
    }
    bool sql = type != NULL && strcmp(type->text, "sql") == 0;
    if (sql && query == NULL) {
        return marked_fail(r->file, rule, false, r->error, "the key \"query\" is missing");
    }
    struct contract_rule out = {
        .name = name == NULL ? default_name(r, rule, target) : name->text,
        .about = about == NULL ? "" : about->text,
    };
    if (out.name == NULL || check_name(r, name == NULL ? rule : name, out.name) != 0 ||
        read_operator(r, rule, &out) != 0 || read_unit(r, rule, target, &out) != 0) {
        return -1;
    }
    out.sql = sql ? filled_in(r, query->text, target) : library_sql(r, rule, target);
    if (out.sql == NULL || check_sql(r, sql ? query : rule, out.sql) != 0 ||
        (out.total != NULL && check_sql(r, rule, out.total) != 0)) {
        return -1;
    }
    return add_rule(r, &out);
}

static int read_rules(struct contract_reading *r, const struct marked *element,
                      const struct target *target) {
    const struct marked *list = marked_find(element, "quality");
    int failed = 0;
    for (const struct marked *at = list == NULL ? NULL : list->first; failed == 0 && at != NULL;
         at = at->next) {
        failed = read_rule(r, at, target);
    }
    return failed;
}

/* ---- What the schema of a table says ---- */

static int check_column(struct contract_reading *r, const struct marked *object,
                        const struct marked *property) {
    const char *table = physical_name(object), *column = physical_name(property), *known;
    struct nearest nearest = nearest_begin(column);
    if (store_tables_column(table, 0) == NULL) {
        return marked_fail(r->file, object, false, r->error, "there is no table \"%.60s\"", table);
    }
    for (size_t i = 0; (known = store_tables_column(table, i)) != NULL; i++) {
        if (strcmp(known, column) == 0) {
            return 0;
        }
        nearest_try(&nearest, known);
    }
    return marked_fail(r->file, property, false, r->error,
                       "the table %s has no column \"%.60s\"%s%s%s", table, column,
                       nearest.best == NULL ? "" : "; did you mean \"",
                       nearest.best == NULL ? "" : nearest.best, nearest.best == NULL ? "" : "\"?");
}

/* The physical names of the properties that have a flag. NULL with the error set. */
static const char *const *columns_with(struct contract_reading *r, const struct marked *object,
                                       const char *flag, size_t *count) {
    const struct marked *list = marked_find(object, "properties");
    const char **columns =
        scenario_alloc(r->memory, (list == NULL ? 1 : list->count + 1) * sizeof *columns);
    *count = 0;
    if (columns == NULL) {
        scenario_error_memory(r->error);
        return NULL;
    }
    for (const struct marked *at = list == NULL ? NULL : list->first; at != NULL; at = at->next) {
        if (marked_is_set(at, flag)) {
            columns[(*count)++] = physical_name(at);
        }
    }
    return columns;
}

/* "a, b" or "a IS NULL OR b IS NULL", quoted. */
static const char *joined(struct contract_reading *r, const char *const *columns, size_t count,
                          const char *behind, const char *between) {
    const char *out = "";
    for (size_t i = 0; out != NULL && i < count; i++) {
        const char *column = quoted(r, '"', columns[i]);
        out = column == NULL
                  ? NULL
                  : contract_textf(r, "%s%s%s%s", out, i == 0 ? "" : between, column, behind);
    }
    return out;
}

/* What primaryKey and required ask of a table. */
static int schema_rules(struct contract_reading *r, const struct marked *object,
                        const struct target *target) {
    const struct marked *list = marked_find(object, "properties");
    for (const struct marked *at = list == NULL ? NULL : list->first; at != NULL; at = at->next) {
        if (check_column(r, object, at) != 0) {
            return -1;
        }
    }
    struct contract_rule rules[] = {
        {.name = "primary-key", .about = "each key is there once", .count = STORE_COUNT_DUPLICATES},
        {.name = "required",
         .about = "no column that is required is null",
         .count = STORE_COUNT_NULLS},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        bool key = rules[i].count == STORE_COUNT_DUPLICATES;
        rules[i].table = physical_name(object);
        rules[i].columns =
            columns_with(r, object, key ? "primaryKey" : "required", &rules[i].column_count);
        if (rules[i].columns == NULL) {
            return -1;
        }
        if (rules[i].column_count == 0) {
            continue;
        }
        const char *columns = joined(r, rules[i].columns, rules[i].column_count,
                                     key ? "" : " IS NULL", key ? ", " : " OR ");
        rules[i].sql = columns == NULL ? NULL
                       : key           ? duplicates_of(r, target, columns)
                                       : counted_where(r, target, columns);
        if (rules[i].sql == NULL || check_name(r, object, rules[i].name) != 0 ||
            add_rule(r, &rules[i]) != 0) {
            return -1;
        }
    }
    return 0;
}

static int object_rules(struct contract_reading *r, const struct marked *object) {
    struct target target = {.object = object, .table = quoted(r, '"', physical_name(object))};
    if (target.table == NULL || (is_table(object) && schema_rules(r, object, &target) != 0) ||
        read_rules(r, object, &target) != 0) {
        return -1;
    }
    const struct marked *list = marked_find(object, "properties");
    int failed = 0;
    for (const struct marked *at = list == NULL ? NULL : list->first; failed == 0 && at != NULL;
         at = at->next) {
        target.property = at;
        target.column = quoted(r, '"', physical_name(at));
        failed = target.column == NULL ? -1 : read_rules(r, at, &target);
    }
    return failed;
}

int contract_rules_read(struct contract_reading *r, const struct marked *root) {
    const struct marked *list = marked_find(root, "schema");
    int failed = 0;
    for (const struct marked *at = list->first; failed == 0 && at != NULL; at = at->next) {
        failed = object_rules(r, at);
    }
    return failed;
}
