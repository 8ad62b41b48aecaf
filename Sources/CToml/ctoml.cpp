#include "ctoml.h"

#include <malloc.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace {

/* toml++ 3.3 guards its parser with assertions that some texts violate, "[ = 1" among them. As a daemon reads its file
 * while it runs, each becomes an exception that ends the parse, in every build. */
struct Confused {};

constexpr void require(bool holds) {
    if (!holds) throw Confused();
}

}  // namespace

#undef NDEBUG
#define TOML_ASSERT(expr) require(!!(expr))
#define TOML_EXCEPTIONS 1
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#define TOML_MAX_NESTED_VALUES 16
#include <toml++/toml.h>

static_assert(TOML_MAX_NESTED_VALUES == CTOML_NESTING_MAX);

struct ctoml_document {
    toml::table root;
    std::vector<ctoml_node> nodes;
};

namespace {

void fail(ctoml_error *error, uint32_t line, uint32_t column, std::string_view message) noexcept {
    const size_t length = std::min(message.size(), sizeof error->message - 1);
    error->line = line;
    error->column = column;
    std::memcpy(error->message, message.data(), length);
    error->message[length] = '\0';
}

/* Walks over the text as a lexer would and finds dotted keys that are too long. It need only agree with toml++ on
 * valid TOML: toml++ builds nothing beyond the first error. */
class DottedKeyGuard {
public:
    explicit DottedKeyGuard(std::string_view text) noexcept : text(text) {}

    /* The line of the first key that is too long; 0: none is. */
    uint32_t find() noexcept {
        size_t dots = 0;
        for (at = 0; at < text.size();) {
            const char c = text[at];
            if (c == '"' || c == '\'') {
                skipString(c);
                continue;
            }
            if (c == '#') {
                at = std::min(text.find('\n', at), text.size());
                continue;
            }
            if (c == '\n') ++line;
            dots = c == '.' ? dots + 1 : continuesKey(c) ? dots : 0;
            if (dots >= CTOML_DOTTED_KEY_MAX) return line;
            ++at;
        }
        return 0;
    }

private:
    std::string_view text;
    size_t at = 0;
    uint32_t line = 1;

    static bool continuesKey(char c) noexcept {
        return c == ' ' || c == '\t' || c == '-' || c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
               (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80;
    }

    void skipString(char quote) noexcept {
        const size_t width = text.substr(at, 3) == std::string_view(quote == '"' ? "\"\"\"" : "'''") ? 3 : 1;
        for (at += width; at < text.size(); ++at) {
            if (text[at] == '\n') {
                if (width == 1) return;  // not valid; toml++ says so
                ++line;
            }
            if (quote == '"' && text[at] == '\\') {
                if (++at < text.size() && text[at] == '\n') ++line;
                continue;
            }
            if (text[at] != quote) continue;
            if (width == 1) {
                ++at;
                return;
            }
            if (text.substr(at, 3) == std::string_view(quote == '"' ? "\"\"\"" : "'''")) {
                for (at += 3; at < text.size() && text[at] == quote; ++at) {}
                return;
            }
        }
    }
};

ctoml_node describe(const toml::key *key, const toml::node &node) noexcept {
    ctoml_node out{};
    out.line = node.source().begin.line;
    out.column = node.source().begin.column;
    if (key) {
        out.key = key->data();
        out.key_length = key->length();
        out.key_line = key->source().begin.line;
        out.key_column = key->source().begin.column;
    }
    return out;
}

void flatten(const toml::key *key, const toml::node &node, std::vector<ctoml_node> &nodes);

void flattenTable(const toml::table &table, std::vector<ctoml_node> &nodes) {
    std::vector<std::pair<const toml::key *, const toml::node *>> entries;
    entries.reserve(table.size());
    for (auto &&[key, value] : table) entries.emplace_back(&key, &value);
    // toml++ sorts by name; the order of the file matters to us.
    std::sort(entries.begin(), entries.end(), [](const auto &a, const auto &b) {
        const auto one = a.first->source().begin, other = b.first->source().begin;
        return std::pair(one.line, one.column) < std::pair(other.line, other.column);
    });
    for (const auto &[key, value] : entries) flatten(key, *value, nodes);
}

void flatten(const toml::key *key, const toml::node &node, std::vector<ctoml_node> &nodes) {
    ctoml_node out = describe(key, node);
    if (const auto *table = node.as_table()) {
        out.kind = CTOML_TABLE;
        out.children = table->size();
        nodes.push_back(out);
        flattenTable(*table, nodes);
        return;
    }
    if (const auto *array = node.as_array()) {
        out.kind = CTOML_ARRAY;
        out.children = array->size();
        nodes.push_back(out);
        for (const auto &element : *array) flatten(nullptr, element, nodes);
        return;
    }
    if (const auto *string = node.as_string()) {
        out.kind = CTOML_STRING;
        out.string = string->get().data();
        out.string_length = string->get().size();
    } else if (const auto *integer = node.as_integer()) {
        out.kind = CTOML_INTEGER;
        out.integer = integer->get();
    } else if (const auto *real = node.as_floating_point()) {
        out.kind = CTOML_FLOAT;
        out.real = real->get();
    } else if (const auto *boolean = node.as_boolean()) {
        out.kind = CTOML_BOOLEAN;
        out.integer = boolean->get();
    } else {
        out.kind = CTOML_OTHER;
    }
    nodes.push_back(out);
}

bool confuses(std::string_view text) {
    try {
        static_cast<void>(toml::parse(text));
    } catch (const toml::parse_error &) {
    } catch (const Confused &) {
        return true;
    }
    return false;
}

/* The line that confuses the parser: the last one of the shortest beginning of the text that does. */
uint32_t lineOfConfusion(std::string_view text) {
    std::vector<size_t> ends;
    for (size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '\n') ends.push_back(at + 1);
    }
    const auto end = std::partition_point(
        ends.begin(), ends.end(), [&](size_t length) { return !confuses(text.substr(0, length)); });
    return static_cast<uint32_t>(end - ends.begin()) + 1;
}

ctoml_document *parse(std::string_view text, ctoml_error *error) {
    try {
        auto document = std::make_unique<ctoml_document>();
        document->root = toml::parse(text);
        flatten(nullptr, document->root, document->nodes);
        return document.release();
    } catch (const toml::parse_error &refused) {
        const auto &at = refused.source().begin;
        fail(error, at.line, at.column, refused.description());
    } catch (const Confused &) {
        fail(error, lineOfConfusion(text), 1, "this line begins neither a table nor a key with its value");
    }
    return nullptr;
}

}  // namespace

extern "C" ctoml_document *ctoml_parse(const char *text, size_t length, ctoml_error *error) {
    if (length > CTOML_LENGTH_MAX) {
        fail(error, 0, 0, "the file is larger than 1 MiB");
        return nullptr;
    }
    const std::string_view view(length ? text : "", length);
    if (const uint32_t line = DottedKeyGuard(view).find()) {
        fail(error, line, 1, "a key has more than 16 parts");
        return nullptr;
    }
    try {
        return parse(view, error);
    } catch (...) {
        fail(error, 0, 0, "the file cannot be parsed: out of memory");
        return nullptr;
    }
}

extern "C" const ctoml_node *ctoml_nodes(const ctoml_document *document, size_t *count) {
    *count = document->nodes.size();
    return document->nodes.data();
}

extern "C" void ctoml_free(ctoml_document *document) {
    delete document;
    malloc_trim(0);
}
