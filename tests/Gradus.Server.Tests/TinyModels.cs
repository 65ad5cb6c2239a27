using Gradus.Bundle;
using Gradus.Files;
using Gradus.Generation;
using Gradus.Models;
using Gradus.Server.Catalog;
using Gradus.Text;
using Gradus.Text.Chat;

namespace Gradus.Server.Tests;

/// <summary>Small models with random weights, in memory: a decoder that chats, an encoder, a cross-encoder.</summary>
internal static class TinyModels
{
    public const int Context = 2048;

    public static Tokenizer Tokenizer { get; } = MakeTokenizer();

    public static ServedModel Chat(ulong seed = 5) => new(ChatBundle(seed), new EngineOptions(CacheBytes: 64L << 20));

    public static ModelBundle ChatBundle(ulong seed = 5) => Bundle(new LlamaConfig(
        HiddenSize: 32, IntermediateSize: 48, NumHiddenLayers: 2, NumAttentionHeads: 4, MaxPositionEmbeddings: Context, InitializerRange: 0.3f), seed);

    public static ServedModel Encoder() => new(Bundle(new BertConfig(HiddenSize: 24, NumHiddenLayers: 1, NumAttentionHeads: 3, IntermediateSize: 32, MaxPositionEmbeddings: 64, InitializerRange: 0.3f) { Architecture = "BertModel" }, 6));

    public static ServedModel Ranker() => new(Bundle(
        new BertConfig(HiddenSize: 24, NumHiddenLayers: 1, NumAttentionHeads: 3, IntermediateSize: 32, MaxPositionEmbeddings: 64, InitializerRange: 0.3f)
        {
            Architecture = "BertForSequenceClassification",
            Labels = LabelSet.OfCount(1),
        }, 7));

    private static ModelBundle Bundle(ModelConfig config, ulong seed) =>
        new(Checkpoint.Create(config.WithVocabulary(Tokenizer.VocabularySize), seed, Gradus.Tensors.Cpu.CpuDevice.Default), Tokenizer, new ModelLocation("tiny"));

    private static Tokenizer MakeTokenizer()
    {
        Tokenizer bytes = ByteLevelBpeTrainer.Train(
            Corpus.FromTexts(["the cat sat on the mat and the dog sat there too, said the man to the cat"]),
            new ByteLevelBpeOptions(280, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"])).Tokenizer;
        return new Tokenizer(bytes.Parts with { ChatTemplate = ChatTemplate.ChatMl });
    }
}
