#include "pipeline/document_rows.h"

#include <errno.h>

int document_row_of(struct effects *effects, struct effect *load, const struct folded *folded,
                    struct document_row *row) {
    struct document_digest digest = folded_digest(folded);
    size_t attributes_length = folded_attributes_json(folded, NULL, 0);
    size_t images_length = folded_images_json(folded, NULL, 0);
    char *attributes = effect_alloc(effects, load, attributes_length);
    char *images = effect_alloc(effects, load, images_length);
    if (attributes == NULL || images == NULL) {
        return -ENOMEM;
    }
    folded_attributes_json(folded, attributes, attributes_length);
    folded_images_json(folded, images, images_length);
    *row = (struct document_row){
        .listing_id = folded->document.listing_id,
        .version = folded->visible_version,
        .changed_at = folded->visible_at,
        .stamp = folded->visible_stamp,
        .source_hash = digest.source,
        .whole_hash = digest.whole,
        .alive = document_alive(&folded->document),
        .policy = document_policy(&folded->document),
        .seller_id = folded_seller(folded),
        .price = folded_price(folded),
        .title = effect_copy(effects, load, folded_text(folded, FIELD_TITLE)),
        .description = effect_copy(effects, load, folded_text(folded, FIELD_DESCRIPTION)),
        .locale = effect_copy(effects, load, folded_text(folded, FIELD_LOCALE)),
        .category = effect_copy(effects, load, folded_text(folded, FIELD_CATEGORY)),
        .attributes = {attributes, attributes_length},
        .images = {images, images_length},
        .category_path = effect_copy(effects, load, document_category(&folded->document)),
        .locale_tag = effect_copy(effects, load, document_locale(&folded->document)),
        .tokeniser = document_tokeniser(&folded->document),
    };
    return effects->out_of_memory ? -ENOMEM : 0;
}
