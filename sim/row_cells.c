#include "sim/row_cells.h"

void document_cells(const struct document_row *d, struct cell cells[DOCUMENT_CELLS]) {
    cells[0] = cell_integer(d->version);
    cells[1] = cell_integer(d->changed_at.ns);
    cells[2] = cell_integer(d->stamp.ts.ns);
    cells[3] = cell_pattern(d->stamp.id.hi);
    cells[4] = cell_pattern(d->stamp.id.lo);
    cells[5] = cell_pattern(d->source_hash);
    cells[6] = cell_pattern(d->whole_hash);
    cells[7] = cell_integer(d->alive);
    cells[8] = cell_integer(d->policy);
    cells[9] = d->seller_id == 0 ? cell_null() : cell_pattern(d->seller_id);
    cells[10] = d->price < 0 ? cell_null() : cell_integer(d->price);
    cells[11] = cell_text(d->title);
    cells[12] = cell_text(d->description);
    cells[13] = cell_text(d->locale);
    cells[14] = cell_text(d->category);
    cells[15] = cell_text(d->attributes);
    cells[16] = cell_text(d->images);
    cells[17] = cell_text(d->category_path);
    cells[18] = cell_text(d->locale_tag);
    cells[19] = cell_integer(d->tokeniser);
}

void order_cells(const struct order_row *order, struct cell cells[ORDER_CELLS]) {
    vtime placed = order_placed(order->placed, order->stamp);
    cells[0] = cell_pattern(order->order_id);
    cells[1] = cell_pattern(order->listing_id);
    cells[2] = cell_text(order->category);
    cells[3] = cell_integer(sales_hour(placed).ns);
    cells[4] = cell_integer(order->quantity);
    cells[5] = cell_integer(order->amount);
    cells[6] = cell_integer(order->stamp.ts.ns);
    cells[7] = cell_pattern(order->stamp.id.hi);
    cells[8] = cell_pattern(order->stamp.id.lo);
    cells[9] = cell_integer(placed.ns);
}

void sales_cells(const struct sales_row *sales, struct cell cells[SALES_CELLS]) {
    cells[0] = cell_text(sales->category);
    cells[1] = cell_integer(sales->hour.ns);
    cells[2] = cell_integer(sales->orders);
    cells[3] = cell_integer(sales->quantity);
    cells[4] = cell_integer(sales->amount);
}

void keyword_cells(uint64_t listing_id, const struct row_meta *meta, struct bytes title,
                   struct bytes description, struct bytes attributes,
                   struct cell cells[KEYWORD_CELLS]) {
    cells[0] = cell_pattern(listing_id);
    cells[1] = cell_integer(meta->version);
    cells[2] = cell_pattern(meta->source_hash);
    cells[3] = cell_pattern(meta->whole_hash);
    cells[4] = cell_pattern(meta->content_hash);
    cells[5] = cell_text(meta->category);
    cells[6] = cell_text(meta->locale);
    cells[7] = cell_pattern(meta->seller_id);
    cells[8] = meta->price < 0 ? cell_null() : cell_integer(meta->price);
    cells[9] = cell_integer(meta->policy);
    cells[10] = cell_integer(meta->active);
    cells[11] = cell_text(title);
    cells[12] = cell_text(description);
    cells[13] = cell_text(attributes);
}

void vector_cells(uint64_t listing_id, const struct row_meta *meta,
                  struct cell cells[VECTOR_CELLS]) {
    cells[0] = cell_pattern(listing_id);
    cells[1] = cell_integer(meta->version);
    cells[2] = cell_pattern(meta->source_hash);
    cells[3] = cell_pattern(meta->whole_hash);
    cells[4] = cell_pattern(meta->content_hash);
    cells[5] = cell_integer(meta->model_version);
    cells[6] = cell_text(meta->category);
    cells[7] = cell_text(meta->locale);
    cells[8] = cell_pattern(meta->seller_id);
    cells[9] = meta->price < 0 ? cell_null() : cell_integer(meta->price);
    cells[10] = cell_integer(meta->policy);
    cells[11] = cell_integer(meta->active);
    cells[12] = cell_integer(meta->modalities);
}

static struct cell cell_hash(const struct sha256 *hash) {
    return cell_blob((struct bytes){(const char *)hash->bytes, SHA256_BYTES});
}

void event_cells(const struct audit_event *event, struct cell cells[EVENT_CELLS]) {
    cells[0] = cell_pattern(event->listing_id);
    cells[1] = cell_pattern(event->sequence);
    cells[2] = cell_integer(event->version);
    cells[3] = cell_integer(event->type);
    cells[4] = cell_integer(event->stamp.ts.ns);
    cells[5] = cell_pattern(event->stamp.id.hi);
    cells[6] = cell_pattern(event->stamp.id.lo);
    cells[7] = cell_integer(event->visible);
    cells[8] = cell_hash(&event->payload);
    cells[9] = cell_hash(&event->digest);
}

void head_cells(const struct audit_head *head, struct cell cells[HEAD_CELLS]) {
    cells[0] = cell_pattern(head->listing_id);
    cells[1] = cell_pattern(head->chain.sequence);
    cells[2] = cell_hash(&head->chain.head);
}
