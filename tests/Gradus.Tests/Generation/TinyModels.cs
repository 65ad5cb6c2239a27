using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;

namespace Gradus.Tests.Generation;

/// <summary>Small models with random weights, large enough to tell wrong numbers from right ones.</summary>
internal static class TinyModels
{
    public const int Context = 96;

    private static readonly Dictionary<string, ModelConfig> Configs = new()
    {
        ["llama"] = new LlamaConfig(VocabSize: 101, HiddenSize: 48, IntermediateSize: 80, NumHiddenLayers: 2, NumAttentionHeads: 6,
            NumKeyValueHeads: 2, MaxPositionEmbeddings: Context, InitializerRange: 0.3f),
        ["gpt2"] = new Gpt2Config(VocabSize: 101, NPositions: Context, NEmbd: 48, NLayer: 2, NHead: 4, InitializerRange: 0.3f),
        ["t5"] = new T5Config(VocabSize: 101, DModel: 48, DKv: 12, DFf: 80, NumLayers: 2, NumHeads: 4, RelativeAttentionNumBuckets: 8,
            RelativeAttentionMaxDistance: 30),
        ["flan-t5"] = new T5Config(VocabSize: 101, DModel: 48, DKv: 10, DFf: 80, NumLayers: 1, NumDecoderLayers: 2, NumHeads: 4,
            FeedForwardProj: "gated-gelu", TieWordEmbeddings: false, DecoderStartTokenId: 5),
        ["bart"] = new BartConfig(VocabSize: 101, MaxPositionEmbeddings: Context, DModel: 48, EncoderLayers: 2, EncoderAttentionHeads: 6,
            EncoderFfnDim: 64, DecoderLayers: 2, DecoderAttentionHeads: 4, DecoderFfnDim: 80, InitStd: 0.3f, ScaleEmbedding: true),
        ["lstm"] = new RnnLmConfig(VocabSize: 101, EmbeddingSize: 24, HiddenSize: 40, NumLayers: 2),
        ["gru"] = new RnnLmConfig(VocabSize: 101, EmbeddingSize: 40, HiddenSize: 40, NumLayers: 3, Rnn: "gru", TieWordEmbeddings: true),
    };

    public static IEnumerable<string> Names => Configs.Keys;

    public static GenerativeModel Make(string name, Device device) =>
        (GenerativeModel)Architectures.Build(Configs[name], new Scope(ParameterSource.Random(7), new Workspace(device)));

    /// <summary>What an encoder reads beside a prompt; null for models without one.</summary>
    public static int[]? Source(GenerativeModel model, int[] prompt) => model is EncoderDecoderModel ? Prompt(7 + (prompt.Length % 40), (ulong)prompt[0]) : null;

    /// <summary>A prompt as a batch of one, with its source.</summary>
    public static TokenBatch Batch(GenerativeModel model, int[] prompt, int[]? tokens = null) =>
        new(tokens ?? prompt) { Source = Source(model, prompt) is { } source ? new TokenBatch(source) : null };

    public static GenerationRequest Request(GenerativeModel model, int[] prompt) => new(prompt) { Source = Source(model, prompt) };

    public static Device Cpu(int threads) => CpuDevice.Create(CpuFeatures.Best, new Workers(threads));

    public static int[] Prompt(int length, ulong key) => [.. Enumerable.Range(0, length).Select(i => CounterRandom.Below(key, i, 101))];
}
