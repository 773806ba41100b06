#include "scenarios/scenario_reader.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scenarios/nearest.h"
#include "scenarios/quantity.h"

/* Longest value that a message shows, in bytes. */
enum { SHOWN_MAX = 40, WANTED_MAX = 1200 };

/* ---- Memory ---- */

struct scenario_block {
    struct scenario_block *next;
    max_align_t data[];
};

void *scenario_alloc(struct scenario_memory *memory, size_t size) {
    struct scenario_block *block = calloc(1, sizeof *block + size);
    if (block == NULL) {
        return NULL;
    }
    block->next = memory->blocks;
    memory->blocks = block;
    return block->data;
}

void scenario_memory_release(struct scenario_memory *memory) {
    while (memory->blocks != NULL) {
        struct scenario_block *next = memory->blocks->next;
        free(memory->blocks);
        memory->blocks = next;
    }
}

/* ---- Places ---- */

const struct setting *reader_setting(const struct reader *r, const struct json_path *path) {
    for (size_t i = r->setting_count; i > 0; i--) {
        if (json_path_within(path, &r->settings[i - 1].path)) {
            return &r->settings[i - 1];
        }
    }
    return NULL;
}

/* A setting that made the object around which the path turns. */
static const struct setting *setting_below(const struct reader *r, const struct json_path *path) {
    for (size_t i = r->setting_count; i > 0; i--) {
        if (json_path_within(&r->settings[i - 1].path, path)) {
            return &r->settings[i - 1];
        }
    }
    return NULL;
}

int reader_fail(struct reader *r, const struct json_path *path, enum place_part part,
                const char *format, ...) {
    char sentence[1400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);

    char shown[JSON_PATH_TEXT_SIZE];
    json_path_format(path, shown);
    const struct json_source *source = r->source;
    struct json_place place = json_place_find(source->text, source->length, path);
    const struct setting *setting = reader_setting(r, path);
    if (setting == NULL && place.depth < path->depth) {
        setting = setting_below(r, path);
    }
    if (setting != NULL) {
        bool same = setting->path.depth == path->depth;
        return scenario_error_set(r->error, "--set %.100s: %s%s%s", setting->text,
                                  same ? "" : shown, same ? "" : ": ", sentence);
    }
    bool key = part == PLACE_KEY && place.depth == path->depth;
    struct json_position at = json_position_of(source->text, key ? place.key : place.value);
    return scenario_error_set(r->error, "%s:%zu:%zu: %s%s%s", source->path, at.line, at.column,
                              shown, shown[0] == '\0' ? "" : ": ", sentence);
}

static int fail_memory(struct reader *r) {
    return scenario_error_memory(r->error);
}

/* ---- Saying what is wrong with a value ---- */

static const char *off_text(const struct key *key) {
    return key->may_be_off ? ", or \"off\"" : "";
}

static void takes_number(const struct key *key, char *text, size_t size) {
    snprintf(text, size, "a whole number from %lld to %lld", (long long)key->min,
             (long long)key->max);
}

static void takes_duration(const struct key *key, char *text, size_t size) {
    char low[DURATION_TEXT_SIZE], high[DURATION_TEXT_SIZE];
    quantity_duration_format(key->min, low);
    quantity_duration_format(key->max, high);
    snprintf(text, size, "a time from %s to %s, as \"90s\" or \"2h30m\"%s", low, high,
             off_text(key));
}

static void takes_share(const struct key *key, char *text, size_t size) {
    snprintf(text, size, "a share %s to 1, as 0.05, \"5%%\" or \"1/20\"%s",
             key->min > 0 ? "above 0 up" : "from 0", off_text(key));
}

static void takes_name(const struct key *key, char *text, size_t size) {
    const char *name;
    int value;
    size_t length = (size_t)snprintf(text, size, "one of ");
    for (size_t i = 0; (name = name_set_item(key->names, i, &value)) != NULL && length < size;
         i++) {
        length += (size_t)snprintf(text + length, size - length, "%s%s", i == 0 ? "" : ", ", name);
    }
    if (length >= size) {
        strcpy(text + size - sizeof "...", "...");
    }
}

static void takes(const struct key *key, char text[WANTED_MAX]) {
    switch (key->type) {
    case TAKES_IGNORED:
    case TAKES_TEXT:
    case TAKES_FILE:
        snprintf(text, WANTED_MAX, "a text that is not empty");
        break;
    case TAKES_FLAG:
    case TAKES_FLAG_OFF:
        snprintf(text, WANTED_MAX, "true or false");
        break;
    case TAKES_COUNT32:
    case TAKES_COUNT64:
        takes_number(key, text, WANTED_MAX);
        break;
    case TAKES_DURATION:
        takes_duration(key, text, WANTED_MAX);
        break;
    case TAKES_MOMENT:
        snprintf(text, WANTED_MAX, "a moment of UTC, as \"2026-03-02T08:00:00Z\"");
        break;
    case TAKES_SHARE:
    case TAKES_SHARE_PPM:
    case TAKES_PERCENT:
        takes_share(key, text, WANTED_MAX);
        break;
    case TAKES_NAME:
    case TAKES_NAME_STATIC:
        takes_name(key, text, WANTED_MAX);
        break;
    case TAKES_OBJECT:
        snprintf(text, WANTED_MAX, "an object");
        break;
    case TAKES_LIST:
        snprintf(text, WANTED_MAX, "a list of at most %d", LIST_LENGTH_MAX);
        break;
    }
}

/* A value for people: short ones as they are. */
static void show_value(const json_t *value, char text[SHOWN_MAX + 8]) {
    if (json_is_object(value) || json_is_array(value)) {
        snprintf(text, SHOWN_MAX + 8, "%s", json_is_object(value) ? "an object" : "a list");
        return;
    }
    char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    if (dumped == NULL) {
        snprintf(text, SHOWN_MAX + 8, "that");
        return;
    }
    size_t length = strlen(dumped);
    if (length > SHOWN_MAX) {
        for (length = SHOWN_MAX; ((unsigned char)dumped[length] & 0xc0) == 0x80;) {
            length--;
        }
        snprintf(text, SHOWN_MAX + 8, "%.*s...%s", (int)length, dumped,
                 json_is_string(value) ? "\"" : "");
    } else {
        snprintf(text, SHOWN_MAX + 8, "%s", dumped);
    }
    free(dumped);
}

/* "takes X, not Y", and why if that is not plain. */
static int refuse(struct reader *r, const struct key *key, const json_t *value, const char *why) {
    char wanted[WANTED_MAX], shown[SHOWN_MAX + 8];
    takes(key, wanted);
    show_value(value, shown);
    return reader_fail(r, &r->path, PLACE_VALUE, "takes %s, not %s%s%s", wanted, shown,
                       why == NULL ? "" : "; ", why == NULL ? "" : why);
}

static const char *reason(enum quantity_status status) {
    switch (status) {
    case QUANTITY_NO_UNIT:
        return "a time has a unit: d, h, m, s, ms, us or ns";
    case QUANTITY_TOO_LARGE:
        return "that is too large";
    case QUANTITY_TOO_FINE:
        return "that has more decimals than are kept";
    default:
        return NULL;
    }
}

/* ---- Values ---- */

static void put(void *target, const void *value, size_t size) {
    memcpy(target, value, size);
}

static int read_text(struct reader *r, const struct key *key, const json_t *value, void *target) {
    if (!json_is_string(value) || json_string_length(value) == 0) {
        return refuse(r, key, value, NULL);
    }
    char *copy = scenario_alloc(r->memory, json_string_length(value) + 1);
    if (copy == NULL) {
        return fail_memory(r);
    }
    put(copy, json_string_value(value), json_string_length(value));
    put(target, &copy, sizeof copy);
    return 0;
}

/* A file that a scenario names lies beside the scenario; one from the command line, here. */
static int read_file_name(struct reader *r, const struct key *key, const json_t *value,
                          void *target) {
    const char *slash = strrchr(r->source->path, '/');
    const char *text = json_string_value(value);
    if (text == NULL || *text == '\0' || *text == '/' || slash == NULL ||
        reader_setting(r, &r->path) != NULL) {
        return read_text(r, key, value, target);
    }
    size_t folder = (size_t)(slash - r->source->path) + 1;
    char *path = scenario_alloc(r->memory, folder + strlen(text) + 1);
    if (path == NULL) {
        return fail_memory(r);
    }
    put(path, r->source->path, folder);
    put(path + folder, text, strlen(text));
    put(target, &path, sizeof path);
    return 0;
}

static int read_flag(struct reader *r, const struct key *key, const json_t *value, void *target) {
    if (!json_is_boolean(value)) {
        return refuse(r, key, value, NULL);
    }
    bool flag = json_is_true(value) == (key->type == TAKES_FLAG);
    put(target, &flag, sizeof flag);
    return 0;
}

/* A whole number, also when written as 5.0 or 5e3. */
static bool whole_number(const json_t *value, int64_t *number) {
    if (json_is_integer(value)) {
        *number = json_integer_value(value);
        return true;
    }
    double real = json_real_value(value);
    if (!json_is_real(value) || real < -9e15 || real > 9e15) {
        return false;
    }
    *number = (int64_t)real;
    return (double)*number == real;
}

static int read_count(struct reader *r, const struct key *key, const json_t *value, void *target) {
    int64_t number;
    if (!whole_number(value, &number) || number < key->min || number > key->max) {
        return refuse(r, key, value, NULL);
    }
    if (key->type == TAKES_COUNT32) {
        uint32_t count = (uint32_t)number;
        put(target, &count, sizeof count);
    } else {
        uint64_t count = (uint64_t)number;
        put(target, &count, sizeof count);
    }
    return 0;
}

static bool is_off(const struct key *key, const json_t *value) {
    return key->may_be_off && json_is_string(value) && strcmp(json_string_value(value), "off") == 0;
}

static int read_duration(struct reader *r, const struct key *key, const json_t *value,
                         void *target) {
    int64_t ns = 0;
    if (!is_off(key, value)) {
        enum quantity_status status = json_is_number(value) ? QUANTITY_NO_UNIT : QUANTITY_MALFORMED;
        if (json_is_string(value)) {
            status = quantity_duration_parse(json_string_value(value), &ns);
        }
        if (status != QUANTITY_OK || ns < key->min || ns > key->max) {
            return refuse(r, key, value, reason(status));
        }
    }
    put(target, &ns, sizeof ns);
    return 0;
}

static int read_moment(struct reader *r, const struct key *key, const json_t *value, void *target) {
    vtime moment;
    if (!json_is_string(value) ||
        quantity_moment_parse(json_string_value(value), &moment.ns) != 0) {
        return refuse(r, key, value, NULL);
    }
    put(target, &moment, sizeof moment);
    return 0;
}

static int read_share(struct reader *r, const struct key *key, const json_t *value, void *target) {
    struct share share = {0, 1};
    enum quantity_status status = QUANTITY_MALFORMED;
    if (is_off(key, value)) {
        status = QUANTITY_OK;
    } else if (json_is_string(value)) {
        status = quantity_share_parse(json_string_value(value), &share);
    } else if (json_is_number(value)) {
        status = quantity_share_of_number(json_number_value(value), &share);
    }
    if (status != QUANTITY_OK || (share.num == 0 && key->min > 0 && !is_off(key, value))) {
        return refuse(r, key, value, reason(status));
    }
    uint32_t ppm;
    bool exact = quantity_share_ppm(share, &ppm);
    if (key->type == TAKES_SHARE) {
        put(target, &share, sizeof share);
    } else if (key->type == TAKES_SHARE_PPM) {
        if (!exact) {
            return refuse(r, key, value, "that is no whole number of millionths");
        }
        put(target, &ppm, sizeof ppm);
    } else {
        if (!exact || ppm % 10000 != 0) {
            return refuse(r, key, value, "that is no whole number of percent");
        }
        uint32_t percent = ppm / 10000;
        put(target, &percent, sizeof percent);
    }
    return 0;
}

static int read_name(struct reader *r, const struct key *key, const json_t *value, void *target) {
    const char *text = json_string_value(value);
    if (text == NULL) {
        return refuse(r, key, value, NULL);
    }
    struct nearest nearest = nearest_begin(text);
    const char *name;
    int number;
    for (size_t i = 0; (name = name_set_item(key->names, i, &number)) != NULL; i++) {
        nearest_try(&nearest, name);
        if (strcmp(name, text) != 0) {
            continue;
        }
        if (key->type == TAKES_NAME) {
            put(target, &number, sizeof number);
        } else {
            put(target, &name, sizeof name);
        }
        return 0;
    }
    if (nearest.best == NULL) {
        return refuse(r, key, value, NULL);
    }
    char shown[SHOWN_MAX + 8];
    show_value(value, shown);
    return reader_fail(r, &r->path, PLACE_VALUE, "there is no %s; did you mean \"%s\"?", shown,
                       nearest.best);
}

/* ---- Objects and lists ---- */

static int read_value(struct reader *r, const struct key *key, const json_t *value, char *base);

static const struct key *find_key(const struct section *section, const char *name) {
    for (size_t i = 0; i < section->key_count; i++) {
        if (strcmp(section->keys[i].name, name) == 0) {
            return &section->keys[i];
        }
    }
    return NULL;
}

/* The kind of an object whose keys depend on it; its first key has been read. */
static int kind_of(const struct section *section, const char *base) {
    int kind;
    memcpy(&kind, base + section->keys[0].offset, sizeof kind);
    return kind;
}

static enum key_use use_of(const struct section *section, const struct key *key, const char *base) {
    if (section->use == NULL || key == &section->keys[0]) {
        return key->required ? KEY_REQUIRED : KEY_OPTIONAL;
    }
    return section->use(kind_of(section, base), key->use);
}

static const char *kind_name(const struct section *section, const char *base) {
    int wanted = kind_of(section, base), value;
    const char *name = NULL;
    for (size_t i = 0; (name = name_set_item(section->keys[0].names, i, &value)) != NULL; i++) {
        if (value == wanted) {
            break;
        }
    }
    return name;
}

/* Names of the keys that an object of that kind takes, or that any takes that is not refused. */
static void list_keys(const struct section *section, const char *base, char *text, size_t size) {
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; i < section->key_count && length < size; i++) {
        if (use_of(section, &section->keys[i], base) != KEY_REFUSED) {
            length += (size_t)snprintf(text + length, size - length, "%s%s",
                                       length == 0 ? "" : ", ", section->keys[i].name);
        }
    }
}

static int check_comment(struct reader *r, const json_t *value) {
    bool lines = json_is_array(value);
    for (size_t i = 0; lines && i < json_array_size(value); i++) {
        lines = json_is_string(json_array_get(value, i));
    }
    return lines || json_is_string(value)
               ? 0
               : reader_fail(r, &r->path, PLACE_VALUE, "takes a text or a list of texts");
}

static int unknown_key(struct reader *r, const struct section *section, const char *name) {
    struct nearest nearest = nearest_begin(name);
    char known[WANTED_MAX];
    size_t length = 0;
    for (size_t i = 0; i < section->key_count; i++) {
        nearest_try(&nearest, section->keys[i].name);
        if (length < sizeof known) {
            length += (size_t)snprintf(known + length, sizeof known - length, "%s%s",
                                       i == 0 ? "" : ", ", section->keys[i].name);
        }
    }
    nearest_try(&nearest, COMMENT_KEY);
    return nearest.best != NULL
               ? reader_fail(r, &r->path, PLACE_KEY, "unknown key; did you mean \"%s\"?",
                             nearest.best)
               : reader_fail(r, &r->path, PLACE_KEY, "unknown key; known are %s", known);
}

/* Is everything in the object known? */
static int check_names(struct reader *r, const struct section *section, json_t *object) {
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        json_path_push(&r->path, name, 0);
        int failed = 0;
        if (strcmp(name, COMMENT_KEY) == 0) {
            failed = check_comment(r, value);
        } else if (find_key(section, name) == NULL) {
            failed = unknown_key(r, section, name);
        }
        json_path_pop(&r->path);
        if (failed != 0) {
            return -1;
        }
    }
    return 0;
}

static int read_fallback(struct reader *r, const struct key *key, char *base) {
    json_t *value = json_loads(key->fallback, JSON_DECODE_ANY, NULL);
    if (value == NULL) {
        return fail_memory(r);
    }
    int failed = read_value(r, key, value, base);
    json_decref(value);
    return failed;
}

/* An object that is not there stands for an empty one: its keys have their defaults. But not where
 * keys are required: then its absence means something. */
static int read_absent(struct reader *r, const struct key *key, char *base) {
    if (key->fallback != NULL) {
        return read_fallback(r, key, base);
    }
    if (key->type != TAKES_OBJECT || key->section->keys[0].required) {
        return 0;
    }
    json_t *empty = json_object();
    if (empty == NULL) {
        return fail_memory(r);
    }
    int failed = read_value(r, key, empty, base);
    json_decref(empty);
    return failed;
}

static int missing_key(struct reader *r, const struct section *section, const struct key *key,
                       const char *base) {
    if (section->use != NULL && key != &section->keys[0]) {
        return reader_fail(r, &r->path, PLACE_VALUE, "%s needs \"%s\": %s",
                           kind_name(section, base), key->name, key->about);
    }
    return reader_fail(r, &r->path, PLACE_VALUE, "the key \"%s\" is missing: %s", key->name,
                       key->about);
}

static int refused_key(struct reader *r, const struct section *section, const struct key *key,
                       const char *base) {
    char names[WANTED_MAX];
    list_keys(section, base, names, sizeof names);
    json_path_push(&r->path, key->name, 0);
    reader_fail(r, &r->path, PLACE_KEY, "%s takes no \"%s\"; it takes %s", kind_name(section, base),
                key->name, names);
    json_path_pop(&r->path);
    return -1;
}

static int read_key(struct reader *r, const struct section *section, const struct key *key,
                    const json_t *object, char *base) {
    const json_t *value = json_object_get(object, key->name);
    enum key_use use = use_of(section, key, base);
    if (value != NULL && use == KEY_REFUSED) {
        return refused_key(r, section, key, base);
    }
    if (value == NULL && use == KEY_REQUIRED) {
        return missing_key(r, section, key, base);
    }
    if (use == KEY_REFUSED) {
        return 0;
    }
    json_path_push(&r->path, key->name, 0);
    int failed = value == NULL ? read_absent(r, key, base) : read_value(r, key, value, base);
    json_path_pop(&r->path);
    return failed;
}

static int read_object(struct reader *r, const struct section *section, const json_t *value,
                       char *base) {
    if (check_names(r, section, (json_t *)(uintptr_t)value) != 0) {
        return -1;
    }
    for (size_t i = 0; i < section->key_count; i++) {
        if (read_key(r, section, &section->keys[i], value, base) != 0) {
            return -1;
        }
    }
    return 0;
}

static int read_list(struct reader *r, const struct key *key, const json_t *value, char *base) {
    size_t count = json_array_size(value);
    if (!json_is_array(value)) {
        return refuse(r, key, value, NULL);
    }
    if (count > LIST_LENGTH_MAX) {
        return reader_fail(r, &r->path, PLACE_VALUE, "takes a list of at most %d, not of %zu",
                           LIST_LENGTH_MAX, count);
    }
    char *elements = scenario_alloc(r->memory, count * key->element_size);
    if (elements == NULL) {
        return fail_memory(r);
    }
    for (size_t i = 0; i < count; i++) {
        json_path_push(&r->path, NULL, i);
        int failed =
            read_value(r, key->element, json_array_get(value, i), elements + i * key->element_size);
        json_path_pop(&r->path);
        if (failed != 0) {
            return -1;
        }
    }
    put(base + key->offset, &elements, sizeof elements);
    put(base + key->count_offset, &count, sizeof count);
    return 0;
}

static int read_value(struct reader *r, const struct key *key, const json_t *value, char *base) {
    void *target = base + key->offset;
    switch (key->type) {
    case TAKES_IGNORED:
        return json_is_string(value) ? 0 : refuse(r, key, value, NULL);
    case TAKES_TEXT:
        return read_text(r, key, value, target);
    case TAKES_FILE:
        return read_file_name(r, key, value, target);
    case TAKES_FLAG:
    case TAKES_FLAG_OFF:
        return read_flag(r, key, value, target);
    case TAKES_COUNT32:
    case TAKES_COUNT64:
        return read_count(r, key, value, target);
    case TAKES_DURATION:
        return read_duration(r, key, value, target);
    case TAKES_MOMENT:
        return read_moment(r, key, value, target);
    case TAKES_SHARE:
    case TAKES_SHARE_PPM:
    case TAKES_PERCENT:
        return read_share(r, key, value, target);
    case TAKES_NAME:
    case TAKES_NAME_STATIC:
        return read_name(r, key, value, target);
    case TAKES_OBJECT:
        return json_is_object(value) ? read_object(r, key->section, value, target)
                                     : refuse(r, key, value, NULL);
    case TAKES_LIST:
        return read_list(r, key, value, base);
    }
    return -1;
}

int reader_read(struct reader *r, struct draft *draft) {
    const json_t *root = r->source->root;
    r->path.depth = 0;
    if (!json_is_object(root)) {
        char shown[SHOWN_MAX + 8];
        show_value(root, shown);
        return reader_fail(r, &r->path, PLACE_VALUE, "a scenario is an object, not %s", shown);
    }
    return read_object(r, &scenario_section, root, (char *)draft);
}
