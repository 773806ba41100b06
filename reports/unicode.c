#include "reports/unicode.h"

#include <stdlib.h>
#include <string.h>

/* Bytes that follow a lead byte, or -1 for a byte that cannot lead. */
static int followers_of(unsigned char lead) {
    if (lead < 0x80)
        return 0;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 1;
    if (lead >= 0xE0 && lead <= 0xEF)
        return 2;
    if (lead >= 0xF0 && lead <= 0xF4)
        return 3;
    return -1;
}

static bool well_formed(uint32_t c, int followers) {
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    return c >= least[followers] && c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
}

uint32_t unicode_next(const char **text) {
    const unsigned char *s = (const unsigned char *)*text;
    if (!*s)
        return 0;
    int followers = followers_of(*s);
    *text += 1;
    if (followers < 0)
        return UNICODE_REPLACEMENT;
    uint32_t c = followers == 0 ? *s : *s & (0x3Fu >> followers);
    for (int i = 1; i <= followers; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return UNICODE_REPLACEMENT;
        c = c << 6 | (s[i] & 0x3Fu);
    }
    if (!well_formed(c, followers))
        return UNICODE_REPLACEMENT;
    *text += followers;
    return c;
}

int unicode_encode(uint32_t c, char out[5]) {
    int followers = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned lead[] = {0, 0xC0, 0xE0, 0xF0};
    for (int i = followers; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    out[0] = (char)(lead[followers] | c);
    out[followers + 1] = '\0';
    return followers + 1;
}

struct range {
    uint32_t first, last;
};

static bool in_ranges(uint32_t c, const struct range *ranges, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    }
    return false;
}

#define IN(c, ranges) in_ranges((c), (ranges), sizeof(ranges) / sizeof *(ranges))

bool unicode_is_hidden(uint32_t c) {
    static const struct range hidden[] = {
        {0x00, 0x1F},     {0x7F, 0x9F},     {0x061C, 0x061C}, {0x200E, 0x200F}, {0x2028, 0x202E},
        {0x2066, 0x2069}, {0xFDD0, 0xFDEF}, {0xFEFF, 0xFEFF}, {0xFFFE, 0xFFFF},
    };
    return IN(c, hidden) || (c & 0xFFFE) == 0xFFFE;
}

int unicode_width(uint32_t c) {
    static const struct range zero[] = {
        {0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F},
        {0x093C, 0x093C}, {0x0941, 0x0948}, {0x094D, 0x094D}, {0x0E31, 0x0E31}, {0x0E34, 0x0E3A},
        {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x200B, 0x200D}, {0x20D0, 0x20FF},
        {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F},
    };
    static const struct range wide[] = {
        {0x1100, 0x115F},   {0x2E80, 0x303E},   {0x3041, 0x33FF},   {0x3400, 0x4DBF},
        {0x4E00, 0x9FFF},   {0xA000, 0xA4CF},   {0xAC00, 0xD7A3},   {0xF900, 0xFAFF},
        {0xFE30, 0xFE4F},   {0xFF00, 0xFF60},   {0xFFE0, 0xFFE6},   {0x1F300, 0x1F64F},
        {0x1F680, 0x1F6FF}, {0x1F900, 0x1F9FF}, {0x20000, 0x3FFFD},
    };
    if (c < 0x300)
        return 1;
    if (IN(c, zero))
        return 0;
    return IN(c, wide) ? 2 : 1;
}

size_t unicode_text_width(const char *text) {
    size_t width = 0;
    for (uint32_t c; (c = unicode_next(&text)) != 0;)
        width += (size_t)unicode_width(c);
    return width;
}

char *unicode_clean(const char *text) {
    /* A broken byte becomes three. */
    size_t length = strlen(text);
    char *clean = length > SIZE_MAX / 4 ? NULL : malloc(length * 3 + 5);
    if (!clean)
        return NULL;
    char *end = clean;
    *end = '\0';
    for (uint32_t c; (c = unicode_next(&text)) != 0;)
        end += unicode_encode(c, end);
    return clean;
}
