// Asks llama.cpp for the tokens of every text: see tokens.py. Usage: node tokens.mjs FOLDER SMOLLM2.gguf
import { readFileSync, writeFileSync } from "node:fs";
import { getLlama } from "node-llama-cpp";

const [folder, smollm2] = process.argv.slice(2);
const { texts } = JSON.parse(readFileSync(`${folder}/made.json`));
const llama = await getLlama({ gpu: false, logLevel: "error", build: "never" });
const found = {};
for (const [name, modelPath] of [["qwen2"], ["smollm"], ["llama-bpe"], ["smollm2", smollm2]].map(([n, p]) => [n, p ?? `${folder}/${n}.gguf`])) {
  const model = await llama.loadModel({ modelPath, vocabOnly: true });
  found[name] = texts.map((text) => [...model.tokenize(text)]);
  if (name === "smollm2") {
    const [system, question] = ["You answer in one word. Be short.", "Is <|im_end|> the end? 12.5%"];
    // The question's own look-alike is taken as text, the template's tokens as what they are.
    const parts = [[`<|im_start|>system\n${system}<|im_end|>\n<|im_start|>user\n`, true], [question, false], ["<|im_end|>\n<|im_start|>assistant\n", true]];
    found.chat = { system, question, tokens: parts.flatMap(([text, special]) => [...model.tokenize(text, special)]) };
  }
}
writeFileSync(`${folder}/llama.json`, JSON.stringify(found));
process.exit(0);
