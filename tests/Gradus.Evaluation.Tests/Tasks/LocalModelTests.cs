using Gradus.Bundle;
using Gradus.Evaluation.Tasks;
using Gradus.Files;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;
using Gradus.Text;
using Gradus.Text.Chat;

namespace Gradus.Evaluation.Tests.Tasks;

/// <summary>Models of every kind that write: their answers are right, and do not depend on what else is asked.</summary>
public sealed class LocalModelTests
{
    public static TheoryData<string> Kinds => ["llama", "t5", "lstm"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void AnswersDependOnNothingElse(string kind)
    {
        using ModelBundle bundle = Bundle(kind);
        EvalRequest[] requests =
        [
            .. new[] { "The cat", "The cat sat", "", "a", "The cat sat on the mat. " }.SelectMany(c => new[] { " sat", " on", "x", " the mat." }.Select(t => new LogLikelihoodRequest(c, t))),
            new RollingRequest("The cat sat on the mat, and the dog ran."),
            new RollingRequest(string.Concat(Enumerable.Repeat("all work and no play ", 12))),
            .. new[] { "The", "A cat", "x" }.Select(p => new GenerateRequest(p, GenerationSettings.Greedy(12, ".", "\n"))),
            new GenerateRequest("The", new GenerationSettings(new() { ["temperature"] = 0.9, ["do_sample"] = true, ["max_gen_toks"] = 8 }), Repeats: 3),
            new GenerateRequest("", GenerationSettings.Greedy(6), Messages: [new ChatMessage("user", "hello there")]),
        ];
        EvalResponse[] together = Ask(bundle, requests, 8);
        int[] order = [.. Enumerable.Range(0, requests.Length).OrderBy(i => i * 11 % requests.Length)];
        EvalResponse[] shuffled = Ask(bundle, [.. order.Select(i => requests[i])], 2);
        for (int i = 0; i < order.Length; i++)
        {
            Same(together[order[i]], shuffled[i]);
            Same(together[i], Ask(bundle, [requests[i]], 1)[0]);
        }
        Assert.All(together.OfType<LikelihoodResponse>(), r => Assert.True(r.LogLikelihood is < 0 and > -10_000));
        Assert.Equal(3, together.OfType<TextResponse>().Max(r => r.Texts.Count));
    }

    [Fact]
    public void RollingIsTheSumOverWindows()
    {
        using ModelBundle bundle = Bundle("llama");
        string text = string.Concat(Enumerable.Repeat("all work and no play ", 12));
        double answer = ((LikelihoodResponse)Ask(bundle, [new RollingRequest(text)], 1)[0]).LogLikelihood, slow = 0;
        int[] ids = bundle.Tokenizer.Encode(text, addSpecialTokens: false);
        int end = bundle.Tokenizer.EosId ?? bundle.Tokenizer.EndOfText!.Value;
        for (int start = 0; start < ids.Length; start += bundle.ContextLength)
        {
            // The last window reaches back as far as the context allows.
            int stop = Math.Min(ids.Length, start + bundle.ContextLength);
            int[] read = start == 0 ? [end, .. ids[..(stop - 1)]] : ids[(stop - bundle.ContextLength - 1)..(stop - 1)];
            int[] targets = [.. Enumerable.Repeat(-100, read.Length - (stop - start)), .. ids[start..stop]];
            using Workspace workspace = bundle.Model.Parts.Store.NewScratch();
            slow -= bundle.Generative.Losses(new Pass(new TokenBatch(read), workspace), workspace.From(targets)).Sum().Item();
        }
        Assert.Equal(slow, answer, 1e-3);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void TheLossOfTextIsThatOfItsBlocks(string kind)
    {
        using ModelBundle bundle = Bundle(kind);
        int[] tokens = [.. bundle.Tokenizer.EncodeDocuments(["The cat sat.", "And the dog ran, and ran, and ran."]).SelectMany(d => d)];
        LossResult result = LossTask.Run(bundle.Generative, tokens, 46, block: 16);
        Assert.Equal(tokens.Length - 1, result.Tokens);
        Assert.Equal(result.Nats, result.Blocks.Sum(b => b.Nats), 1e-9);
        Assert.All(result.ToResult("t").Metrics, m => Assert.False(m.HigherIsBetter));
        Assert.Throws<InvalidDataException>(() => LossTask.Run(bundle.Generative, [1], 1));
    }

    [Fact]
    public void LongPromptsLoseTheirBeginningAndThatIsSaid()
    {
        using ModelBundle bundle = Bundle("llama");
        LocalModel model = new(bundle);
        string tail = new('b', 40);
        LogLikelihoodRequest[] requests = [new(new string('a', 500) + tail, "c"), new(tail, "c"), new("x", new string('d', 500))];
        EvalResponse?[] answers = new EvalResponse?[2];
        model.Answer(requests[..2], (i, r) => answers[i] = r);
        Assert.Contains("1 prompts were longer", model.Notes.Single());
        Assert.Throws<InvalidDataException>(() => model.Answer(requests[2..], (_, _) => { }));
    }

    private static EvalResponse[] Ask(ModelBundle bundle, EvalRequest[] requests, int batch)
    {
        EvalResponse[] responses = new EvalResponse[requests.Length];
        new LocalModel(bundle, new LocalModelOptions(batch)).Answer(requests, (i, r) => responses[i] = r);
        Assert.All(responses, Assert.NotNull);
        return responses;
    }

    private static void Same(EvalResponse a, EvalResponse b)
    {
        if (a is TextResponse texts)
            Assert.Equal(texts.Texts, ((TextResponse)b).Texts);
        else
            Assert.Equal(a, b);
    }

    private static ModelBundle Bundle(string kind)
    {
        Tokenizer tokenizer = CharacterTokenizer.Train("\n !,.?abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]);
        tokenizer = new Tokenizer(tokenizer.Parts with { ChatTemplate = ChatTemplate.ChatMl });
        ModelConfig config = kind switch
        {
            "t5" => new T5Config(DModel: 24, DKv: 6, DFf: 32, NumLayers: 1, NumHeads: 4),
            "lstm" => new RnnLmConfig(EmbeddingSize: 16, HiddenSize: 24, NumLayers: 1),
            _ => new LlamaConfig(HiddenSize: 24, IntermediateSize: 32, NumHiddenLayers: 2, NumAttentionHeads: 4, MaxPositionEmbeddings: 96, InitializerRange: 0.3f),
        };
        return new ModelBundle(Checkpoint.Create(config.WithVocabulary(tokenizer.VocabularySize), 5, CpuDevice.Default), tokenizer, new ModelLocation($"{kind} in memory"));
    }
}
