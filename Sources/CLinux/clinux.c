/* What needs _GNU_SOURCE, which a header cannot ask for. */
#define _GNU_SOURCE
#include "clinux.h"

#include <link.h>
#include <sys/auxv.h>
#include <wchar.h>

/* A segment that was never writable holds nothing but the file; one that was (RELRO) holds what the loader wrote. */
static int release_segments(struct dl_phdr_info *object, size_t size, void *context) {
    (void)size;
    (void)context;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    if (object->dlpi_addr == getauxval(AT_SYSINFO_EHDR)) return 0;
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W) continue;
        uintptr_t start = (object->dlpi_addr + segment->p_vaddr) / page * page;
        uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_filesz + page - 1) / page * page;
        madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void clinux_release_code_pages(void) { dl_iterate_phdr(release_segments, NULL); }

int clinux_columns(uint32_t scalar) {
    int width = wcwidth((wchar_t)scalar);
    return width < 0 ? 1 : width;
}
