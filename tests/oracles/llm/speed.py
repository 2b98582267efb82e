"""Speed of llama.cpp on the files that `cargo bench --bench llm` measures, with the same prompt, words and threads; run both together.

    python3 tests/oracles/llm/speed.py THREADS FILE...
"""

import sys
import time

import llama_cpp

PROMPT, WRITTEN, TRIES = 256, 64, 3


def measure(path, threads):
    model = llama_cpp.Llama(model_path=path, n_ctx=2048, n_batch=512, n_threads=threads, n_threads_batch=threads, verbose=False)
    words = min(model.n_vocab(), 40000)
    text = [place * 7919 % words for place in range(PROMPT)]
    prompt = written = float("inf")
    for _ in range(TRIES):
        model.reset()
        model.eval(text[:1])
        start = time.perf_counter()
        model.eval(text[1:])
        prompt = min(prompt, time.perf_counter() - start)
        start = time.perf_counter()
        for step in range(WRITTEN):
            model.eval([step * 31 % 1000])
        written = min(written, (time.perf_counter() - start) / WRITTEN)
    print(f"{path.rsplit('/', 1)[-1]:36} {(PROMPT - 1) / prompt:9.1f} {1 / written:9.1f}")


print(f"{'llama.cpp':36} {'prompt/s':>9} {'written/s':>9}")
for file in sys.argv[2:]:
    measure(file, int(sys.argv[1]))
