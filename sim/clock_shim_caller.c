/*
 * From a return address to the name of the function that holds it, by the .symtab of the ELF file
 * (System V ABI, chapter 4), which dladdr does not read: there stand the static functions too.
 */
#define _GNU_SOURCE 1
#include "sim/clock_shim_parts.h"
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct image {
    const unsigned char *bytes;
    size_t size;
};

static int image_open(struct image *image, const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    struct stat st;
    void *mapped = MAP_FAILED;
    if (fstat(fd, &st) == 0 && st.st_size > 0) {
        mapped = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    close(fd);
    if (mapped == MAP_FAILED) {
        return -1;
    }
    *image = (struct image){mapped, (size_t)st.st_size};
    return 0;
}

/* Entry `index` of a table in the file, or NULL where the file ends before it. */
static const void *image_entry(const struct image *image, size_t offset, size_t index,
                               size_t entry_bytes) {
    if (offset > image->size || index >= (image->size - offset) / entry_bytes) {
        return NULL;
    }
    return image->bytes + offset + index * entry_bytes;
}

static const ElfW(Shdr) * image_section(const struct image *image, size_t index) {
    const ElfW(Ehdr) *header = image_entry(image, 0, 0, sizeof(*header));
    if (header == NULL || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_ident[EI_CLASS] != ELFCLASS64 || index >= header->e_shnum) {
        return NULL;
    }
    return image_entry(image, header->e_shoff, index, sizeof(ElfW(Shdr)));
}

static bool symbol_holds(const ElfW(Sym) * symbol, ElfW(Addr) address) {
    return ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && symbol->st_shndx != SHN_UNDEF &&
           address >= symbol->st_value && address - symbol->st_value < symbol->st_size;
}

static bool name_from_table(const struct image *image, const ElfW(Shdr) * table, ElfW(Addr) address,
                            char *name, size_t name_bytes) {
    const ElfW(Shdr) *strings = image_section(image, table->sh_link);
    const ElfW(Sym) * symbol;
    for (size_t i = 0; i < table->sh_size / sizeof(*symbol); i++) {
        symbol = image_entry(image, table->sh_offset, i, sizeof(*symbol));
        if (symbol == NULL || strings == NULL) {
            return false;
        }
        const char *text = image_entry(image, strings->sh_offset, symbol->st_name, 1);
        if (text != NULL && symbol_holds(symbol, address)) {
            size_t room = image->size - (size_t)((const unsigned char *)text - image->bytes);
            snprintf(name, name_bytes, "%.*s", (int)(room < 255 ? room : 255), text);
            return true;
        }
    }
    return false;
}

static bool name_from_file(const char *path, ElfW(Addr) address, char *name, size_t name_bytes) {
    struct image image;
    if (image_open(&image, path) != 0) {
        return false;
    }
    bool found = false;
    const ElfW(Shdr) * section;
    for (size_t i = 0; !found && (section = image_section(&image, i)) != NULL; i++) {
        if (section->sh_type == SHT_SYMTAB) {
            found = name_from_table(&image, section, address, name, name_bytes);
        }
    }
    munmap((void *)(uintptr_t)image.bytes, image.size);
    return found;
}

void shim_caller_name(const void *address, char *name, size_t name_bytes, char *place,
                      size_t place_bytes) {
    /* The call, not what follows it: a call that never returns may end its function. */
    const char *call = (const char *)address - 1;
    struct link_map *map = NULL;
    Dl_info info;
    snprintf(name, name_bytes, "?");
    if (dladdr1(call, &info, (void **)&map, RTLD_DL_LINKMAP) == 0) {
        snprintf(place, place_bytes, "%p", address);
        return;
    }
    /* The program itself has no name in its link map, and argv[0] need not be a path. */
    bool is_program = map->l_name == NULL || map->l_name[0] == '\0';
    ElfW(Addr) offset = (ElfW(Addr))(uintptr_t)call - map->l_addr;
    snprintf(place, place_bytes, "%s+0x%llx", info.dli_fname, (unsigned long long)offset);
    if (name_from_file(is_program ? "/proc/self/exe" : map->l_name, offset, name, name_bytes)) {
        return;
    }
    if (info.dli_sname != NULL) {
        snprintf(name, name_bytes, "%s", info.dli_sname);
    }
}
