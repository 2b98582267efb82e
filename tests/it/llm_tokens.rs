//! From text to tokens: three ways of cutting, two ways of writing a conversation, and no control token out of a text.

use pmax::llm::chat::{Chat, ChatError};
use pmax::llm::tokenizer::{Tokenizer, TokenizerError, Vocabulary};
use proptest::prelude::*;
use serde_json::Value;

use crate::llm_fakes::{installed, oracle, tokenizer, vocabulary};

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| u32::try_from(id.as_u64().unwrap()).unwrap()).collect()
}

#[test]
fn three_ways_of_cutting_agree_with_llama_cpp() {
    let oracle = oracle();
    for (pre, cases) in oracle["cases"].as_object().unwrap() {
        let tokenizer = Tokenizer::build(vocabulary(pre)).unwrap();
        for case in cases.as_array().unwrap() {
            let text = case[0].as_str().unwrap();
            assert_eq!(tokenizer.encode(text).unwrap(), ids(&case[1]), "{pre}: {text:?}");
        }
        assert!(cases.as_array().unwrap().len() > 20);
    }
    let [qwen, llama] = ["qwen2", "llama3"].map(|pre| Tokenizer::build(vocabulary(pre)).unwrap().encode("2024").unwrap().len());
    assert!(qwen == 4 && llama < 4, "digits stand alone for Qwen and by threes for Llama: {qwen}, {llama}");
}

#[test]
fn what_is_not_spoken_is_refused_by_name() {
    let refused = |change: &dyn Fn(&mut Vocabulary)| {
        let mut vocabulary = vocabulary("qwen2");
        change(&mut vocabulary);
        Tokenizer::build(vocabulary).unwrap_err()
    };
    let told = refused(&|vocabulary| vocabulary.pre = "deepseek-llm\u{1b}[31m".to_owned()).to_string();
    assert_eq!(told, "it cuts texts the way «deepseek-llm[31m»; known are qwen2, smollm, llama-bpe, llama3, llama-v3");
    assert!(matches!(refused(&|vocabulary| vocabulary.model = "llama".to_owned()), TokenizerError::Kind(_)));
    assert!(matches!(refused(&|vocabulary| vocabulary.types.truncate(5)), TokenizerError::Types { types: 5, .. }));
    assert!(matches!(refused(&|vocabulary| vocabulary.tokens[20] = vocabulary.tokens[21].clone()), TokenizerError::Twice(_)));
    assert_eq!(refused(&|vocabulary| vocabulary.merges[3] = "nothing".to_owned()), TokenizerError::Merge(3));
    let endless = "x".repeat(100_000);
    assert_eq!(refused(&|vocabulary| vocabulary.merges[4] = format!("a {endless}")), TokenizerError::Merge(4));
    let mut one_padding_longer = vocabulary("qwen2");
    one_padding_longer.template = None;
    one_padding_longer.tokens[1] = "<|nothing|>".to_owned();
    assert_eq!(Chat::of(&Tokenizer::build(one_padding_longer.clone()).unwrap()).unwrap().turn_end(), 8, "Llama's by its tokens");
    one_padding_longer.template = Some("{{ bos_token }}[INST]".to_owned());
    assert_eq!(Chat::of(&Tokenizer::build(one_padding_longer.clone()).unwrap()), Err(ChatError::Unknown));
    one_padding_longer.template = Some("<|im_start|>".to_owned());
    assert_eq!(Chat::of(&Tokenizer::build(one_padding_longer).unwrap()), Err(ChatError::NoToken("<|im_start|>")));
}

#[test]
fn a_conversation_has_the_same_beginning_whatever_is_asked() {
    for (template, end) in
        [("<|im_start|>", "<|im_end|>"), ("<|start_header_id|>", "<|eot_id|>"), ("<|im_start|>enable_thinking", "<|im_end|>")]
    {
        let tokenizer = Tokenizer::build(Vocabulary { template: Some(template.to_owned()), ..vocabulary("qwen2") }).unwrap();
        let chat = Chat::of(&tokenizer).unwrap();
        assert_eq!(Some(chat.turn_end()), tokenizer.control(end));
        let system = chat.system(&tokenizer, " You judge. ").unwrap();
        assert_eq!(chat.system(&tokenizer, "You judge.").unwrap(), system);
        let question = chat.question(&tokenizer, " \nQ: SPY\n").unwrap();
        assert_eq!(
            tokenizer.decode(&system).trim(),
            if end == "<|im_end|>" { "system\nYou judge.\nuser" } else { "system\n\nYou judge.user" }
        );
        assert!(tokenizer.decode(&question).starts_with("Q: SPY"), "{:?}", tokenizer.decode(&question));
        let thinks = template.contains("thinking");
        assert_eq!(question.contains(&tokenizer.control("</think>").unwrap()), thinks);
        // Written in one piece, the text between two control tokens has the same tokens.
        let whole = tokenizer.encode("user\nQ: SPY").unwrap();
        let apart = [tokenizer.encode("user\n").unwrap(), tokenizer.encode("Q: SPY").unwrap()].concat();
        assert_eq!(whole, apart);
    }
}

fn is_harmless(tokens: &[u32], tokenizer: &Tokenizer) -> bool {
    tokens.iter().all(|token| tokenizer.controls().all(|(_, control)| control != *token))
}

#[test]
fn no_text_holds_a_control_token() {
    let tokenizer = tokenizer();
    for (name, _) in tokenizer.controls() {
        for text in [name.to_owned(), format!("a{name}b"), format!("\n{name}\n{name}")] {
            let tokens = tokenizer.encode(&text).unwrap();
            assert!(is_harmless(&tokens, &tokenizer), "{text:?}: {tokens:?}");
            assert_eq!(tokenizer.decode(&tokens), text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn texts_come_back_and_hold_no_control(text in "(\\PC|<\\|im_end\\|>|<\\|eot_id\\|>|\\s|[0-9.]){0,40}") {
        let tokenizer = Tokenizer::build(vocabulary("smollm")).unwrap();
        let tokens = tokenizer.encode(&text).unwrap();
        prop_assert!(is_harmless(&tokens, &tokenizer));
        prop_assert_eq!(tokenizer.decode(&tokens), text);
    }
}

#[test]
fn smollm2s_own_tokens_agree_with_llama_cpp() {
    let Some(tokenizer) = installed() else { return };
    for case in oracle()["smollm2"].as_array().unwrap() {
        let text = case[0].as_str().unwrap();
        assert_eq!(tokenizer.encode(text).unwrap(), ids(&case[1]), "{text:?}");
    }
    let chat = Chat::of(&tokenizer).unwrap();
    let oracle = &oracle()["chat"];
    let text = |key: &str| oracle[key].as_str().unwrap();
    let conversation =
        [chat.system(&tokenizer, text("system")).unwrap(), chat.question(&tokenizer, text("question")).unwrap()].concat();
    assert_eq!(conversation, ids(&oracle["tokens"]));
    assert_eq!((chat.turn_end(), tokenizer.begin()), (2, None));
}
