#include "reports/page.h"

#include <stdint.h>
#include <string.h>

#include "reports/unicode.h"

/* One character as it is shown. */
struct glyph {
    char text[12];
    int width;
};

static struct glyph glyph_of(const struct page *p, uint32_t c) {
    struct glyph g;
    if (unicode_is_hidden(c) || (p->ascii && c > 0x7E)) {
        g.width = snprintf(g.text, sizeof g.text, c < 0x100 ? "\\x%02X" : "\\u%04X", (unsigned)c);
        return g;
    }
    unicode_encode(c, g.text);
    g.width = unicode_width(c);
    return g;
}

static int width_of(const struct page *p, const char *text) {
    int width = 0;
    for (uint32_t c; (c = unicode_next(&text)) != 0;)
        width += glyph_of(p, c).width;
    return width;
}

static void put_glyph(struct page *p, const struct glyph *g) {
    fputs(g->text, p->out);
    p->column += g->width;
}

void page_colour(struct page *p, enum page_colour colour) {
    static const char *const codes[] = {
        [PAGE_PLAIN] = "0",  [PAGE_BOLD] = "1",    [PAGE_GOOD] = "1;32",
        [PAGE_BAD] = "1;31", [PAGE_WARN] = "1;33", [PAGE_DIM] = "2",
    };
    if (p->colour)
        fprintf(p->out, "\x1b[%sm", codes[colour]);
}

void page_put(struct page *p, const char *text) {
    for (uint32_t c; (c = unicode_next(&text)) != 0;) {
        struct glyph g = glyph_of(p, c);
        put_glyph(p, &g);
    }
}

void page_newline(struct page *p) {
    fputc('\n', p->out);
    p->column = 0;
}

static void put_spaces(struct page *p, int n) {
    for (int i = 0; i < n; i++)
        fputc(' ', p->out);
    p->column += n > 0 ? n : 0;
}

void page_tab(struct page *p, int column) {
    if (p->column >= column && p->column > 0)
        put_spaces(p, 1);
    else
        put_spaces(p, column - p->column);
}

/* A word that grows glyph by glyph, with the spaces before it. */
struct word {
    char text[1024];
    size_t size;
    int width, spaces;
};

static void word_flush(struct page *p, struct word *w, int indent) {
    if (w->size == 0)
        return;
    bool line_start = p->column <= indent;
    if (!line_start && p->column + w->spaces + w->width > PAGE_COLUMNS) {
        page_newline(p);
        w->spaces = 0;
    }
    if (p->column < indent)
        put_spaces(p, indent - p->column);
    put_spaces(p, w->spaces);
    fputs(w->text, p->out);
    p->column += w->width;
    w->size = 0;
    w->width = w->spaces = 0;
}

static void word_add(struct page *p, struct word *w, const struct glyph *g, int indent) {
    int room = PAGE_COLUMNS - indent - w->spaces;
    if (w->width + g->width > room || w->size + sizeof g->text > sizeof w->text)
        word_flush(p, w, indent);
    size_t length = strlen(g->text);
    memcpy(w->text + w->size, g->text, length + 1);
    w->size += length;
    w->width += g->width;
}

void page_wrap(struct page *p, int indent, const char *text) {
    struct word w = {"", 0, 0, 0};
    for (uint32_t c; (c = unicode_next(&text)) != 0;) {
        if (c == '\n') {
            word_flush(p, &w, indent);
            w.spaces = 0;
            if (*text)
                page_newline(p);
        } else if (c == ' ' || c == '\t') {
            word_flush(p, &w, indent);
            w.spaces += w.spaces < PAGE_COLUMNS / 2;
        } else {
            struct glyph g = glyph_of(p, c);
            word_add(p, &w, &g, indent);
        }
    }
    word_flush(p, &w, indent);
    page_newline(p);
}

static void put_cut(struct page *p, int width, const char *text) {
    const char *ellipsis = p->ascii ? "~" : "\xE2\x80\xA6";
    int limit = p->column + width - 1;
    for (uint32_t c; (c = unicode_next(&text)) != 0;) {
        struct glyph g = glyph_of(p, c);
        if (p->column + g.width > limit)
            break;
        put_glyph(p, &g);
    }
    fputs(ellipsis, p->out);
    p->column++;
}

void page_cell(struct page *p, int width, const char *text) {
    int end = p->column + width, wide = width_of(p, text);
    if (wide > width - 1)
        put_cut(p, width - 1, text);
    else
        page_put(p, text);
    put_spaces(p, end - p->column);
}

void page_cell_right(struct page *p, int width, const char *text) {
    int wide = width_of(p, text);
    if (wide > width - 1) {
        put_spaces(p, 1);
        put_cut(p, width - 1, text);
        return;
    }
    put_spaces(p, width - wide);
    page_put(p, text);
}

/* The length of the command's next word, which ends at a space outside quotes. */
static size_t shell_word(const char *s) {
    char quote = '\0';
    size_t i = 0;
    for (; s[i] && (quote || s[i] != ' '); i++) {
        if (quote ? s[i] == quote : s[i] == '\'' || s[i] == '"')
            quote = quote ? '\0' : s[i];
        else if (s[i] == '\\' && quote != '\'' && s[i + 1])
            i++;
    }
    return i;
}

/* An option keeps its value beside it where both fit on a line. */
static size_t shell_unit(const char *s) {
    size_t size = shell_word(s);
    size_t gap = strspn(s + size, " ");
    if (*s != '-' || gap == 0 || s[size + gap] == '-' || s[size + gap] == '\0')
        return size;
    size_t both = size + gap + shell_word(s + size + gap);
    return both < PAGE_COLUMNS - 10 ? both : size;
}

/* Puts the first `size` bytes of a command; the rest is needed to keep sequences whole. */
static void put_part(struct page *p, const char *text, size_t size, bool measure, int *width) {
    const char *end = text + size;
    *width = 0;
    while (text < end) {
        struct glyph g = glyph_of(p, unicode_next(&text));
        *width += g.width;
        if (!measure)
            put_glyph(p, &g);
    }
}

void page_command(struct page *p, int indent, const char *command) {
    bool first = true;
    put_spaces(p, indent - p->column);
    while (*command) {
        size_t size = shell_unit(command);
        int width;
        put_part(p, command, size, true, &width);
        /* Two columns stay free for " \". */
        if (!first && p->column + 1 + width > PAGE_COLUMNS - 2) {
            fputs(" \\", p->out);
            page_newline(p);
            put_spaces(p, indent + 4);
        } else if (!first) {
            put_spaces(p, 1);
        }
        put_part(p, command, size, false, &width);
        command += size;
        command += strspn(command, " ");
        first = false;
    }
    page_newline(p);
}
