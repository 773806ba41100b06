#include "bench/hnswlib_peer.h"

#include <hnswlib/hnswlib.h>

#include <exception>
#include <new>

struct hnswlib_peer {
    hnswlib::InnerProductSpace space;
    hnswlib::HierarchicalNSW<float> index;

    hnswlib_peer(size_t dim, size_t rows_max, size_t m, size_t ef_construction, size_t seed)
        : space(dim), index(&space, rows_max, m, ef_construction, seed) {
    }
};

extern "C" struct hnswlib_peer *hnswlib_peer_new(size_t dim, size_t rows_max, size_t m,
                                                 size_t ef_construction, size_t seed) {
    try {
        return new hnswlib_peer(dim, rows_max, m, ef_construction, seed);
    } catch (const std::exception &) {
        return nullptr;
    }
}

extern "C" void hnswlib_peer_free(struct hnswlib_peer *peer) {
    delete peer;
}

extern "C" int hnswlib_peer_put(struct hnswlib_peer *peer, uint32_t id, const float *vector) {
    try {
        peer->index.addPoint(vector, id);
        return 0;
    } catch (const std::exception &) {
        return -1;
    }
}

extern "C" int hnswlib_peer_search(struct hnswlib_peer *peer, const float *query, size_t k,
                                   size_t ef, uint32_t *ids) {
    try {
        peer->index.setEf(ef);
        auto found = peer->index.searchKnn(query, k);
        int count = 0;
        for (; !found.empty(); found.pop()) {
            ids[count++] = static_cast<uint32_t>(found.top().second);
        }
        return count;
    } catch (const std::exception &) {
        return -1;
    }
}
