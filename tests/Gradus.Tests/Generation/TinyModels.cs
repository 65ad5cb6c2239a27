using Gradus.Generation;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;
using Gradus.Tensors.Cpu;

namespace Gradus.Tests.Generation;

/// <summary>
/// A small configuration of every architecture, to be filled with random weights: large enough to tell wrong numbers from right ones.
/// Windows are shorter than the prompts, and every option that a family really uses occurs.
/// </summary>
internal static class TinyModels
{
    public const int Context = 96;
    public const int Vocabulary = 101;

    private static readonly LayerType[] Mixed = [LayerType.SlidingAttention, LayerType.FullAttention];

    private static readonly Dictionary<string, ModelConfig> Configs = new()
    {
        ["bloom"] = new BloomConfig(Vocabulary, HiddenSize: 48, NLayer: 2, NHead: 6, SeqLength: Context, InitializerRange: 0.3f),
        ["falcon"] = new FalconConfig(Vocabulary, HiddenSize: 48, NumHiddenLayers: 2, NumAttentionHeads: 4, NumKvHeads: 2,
            NewDecoderArchitecture: true, MaxPositionEmbeddings: Context, InitializerRange: 0.3f),
        ["gemma"] = new GemmaConfig(Vocabulary, 48, 80, 2, 4, NumKeyValueHeads: 1, HeadDim: 16, MaxPositionEmbeddings: Context, InitializerRange: 0.1f),
        ["gemma2"] = new Gemma2Config(Vocabulary, 48, 80, 2, 4, NumKeyValueHeads: 2, HeadDim: 16, MaxPositionEmbeddings: Context,
            QueryPreAttnScalar: 20, SlidingWindow: 7, InitializerRange: 0.1f),
        ["gemma3_text"] = new Gemma3TextConfig(Vocabulary, 48, 80, 3, 4, NumKeyValueHeads: 2, HeadDim: 16, MaxPositionEmbeddings: Context,
            RopeScaling: new RopeScaling("linear", Factor: 8), QueryPreAttnScalar: 20, SlidingWindow: 7, SlidingWindowPattern: 2, InitializerRange: 0.1f),
        ["gpt2"] = new Gpt2Config(Vocabulary, NPositions: Context, NEmbd: 48, NLayer: 2, NHead: 4, InitializerRange: 0.3f),
        ["gpt_neox"] = new GptNeoXConfig(Vocabulary, 48, 2, 4, 80, RotaryPct: 0.34, MaxPositionEmbeddings: Context, InitializerRange: 0.3f),
        ["gptj"] = new GptJConfig(Vocabulary, Context, NEmbd: 48, NLayer: 2, NHead: 4, RotaryDim: 4, InitializerRange: 0.3f),
        ["llama"] = new LlamaConfig(Vocabulary, HiddenSize: 48, IntermediateSize: 80, NumHiddenLayers: 2, NumAttentionHeads: 6,
            NumKeyValueHeads: 2, MaxPositionEmbeddings: Context, InitializerRange: 0.3f),
        ["t5"] = new T5Config(Vocabulary, DModel: 48, DKv: 12, DFf: 80, NumLayers: 2, NumHeads: 4, RelativeAttentionNumBuckets: 8,
            RelativeAttentionMaxDistance: 30),
        ["flan-t5"] = new T5Config(Vocabulary, DModel: 48, DKv: 10, DFf: 80, NumLayers: 1, NumDecoderLayers: 2, NumHeads: 4,
            FeedForwardProj: "gated-gelu", TieWordEmbeddings: false, DecoderStartTokenId: 5),
        ["bart"] = new BartConfig(Vocabulary, MaxPositionEmbeddings: Context, DModel: 48, EncoderLayers: 2, EncoderAttentionHeads: 6,
            EncoderFfnDim: 64, DecoderLayers: 2, DecoderAttentionHeads: 4, DecoderFfnDim: 80, InitStd: 0.3f, ScaleEmbedding: true),
        ["lstm"] = new RnnLmConfig(Vocabulary, EmbeddingSize: 24, HiddenSize: 40, NumLayers: 2),
        ["gru"] = new RnnLmConfig(Vocabulary, EmbeddingSize: 40, HiddenSize: 40, NumLayers: 3, Rnn: "gru", TieWordEmbeddings: true),
        ["mistral"] = new MistralConfig(Vocabulary, 48, 80, 2, 4, 2, HeadDim: 16, MaxPositionEmbeddings: Context, SlidingWindow: 7, InitializerRange: 0.3f),
        ["mixtral"] = new MixtralConfig(Vocabulary, 48, 80, 2, 4, 2, MaxPositionEmbeddings: Context, NumLocalExperts: 4, OutputRouterLogits: true,
            RouterAuxLossCoef: 0.05f, InitializerRange: 0.3f),
        ["olmo2"] = new Olmo2Config(Vocabulary, 48, 80, 2, 4, 2, MaxPositionEmbeddings: Context, InitializerRange: 0.3f),
        ["opt"] = new OptConfig(Vocabulary, 48, 2, 80, 4, MaxPositionEmbeddings: Context, DoLayerNormBefore: false, WordEmbedProjDim: 32, InitStd: 0.3f),
        ["phi"] = new PhiConfig(Vocabulary, 48, 80, 2, 4, 2, MaxPositionEmbeddings: Context, PartialRotaryFactor: 0.34, QkLayernorm: true, InitializerRange: 0.3f),
        ["phi3"] = new Phi3Config(Vocabulary, 48, 80, 2, 4, 2, MaxPositionEmbeddings: Context, PartialRotaryFactor: 0.5, SlidingWindow: 30, InitializerRange: 0.3f),
        ["qwen2"] = new Qwen2Config(Vocabulary, 48, 80, 2, 4, 2, MaxPositionEmbeddings: Context, UseSlidingWindow: true, SlidingWindow: 7,
            LayerTypes: Mixed, InitializerRange: 0.3f),
        ["qwen2_moe"] = new Qwen2MoeConfig(Vocabulary, 48, 80, 3, 4, 2, MaxPositionEmbeddings: Context, MoeIntermediateSize: 24,
            SharedExpertIntermediateSize: 40, NumExperts: 5, NumExpertsPerTok: 2, MlpOnlyLayers: [0], InitializerRange: 0.3f),
        ["qwen3"] = new Qwen3Config(Vocabulary, 48, 80, 2, 4, 2, HeadDim: 16, MaxPositionEmbeddings: Context, InitializerRange: 0.3f),
        ["qwen3_moe"] = new Qwen3MoeConfig(Vocabulary, 48, 80, 2, 4, 2, HeadDim: 16, MaxPositionEmbeddings: Context, MoeIntermediateSize: 24,
            NumExperts: 6, NumExpertsPerTok: 3, NormTopkProb: true, DecoderSparseStep: 2, InitializerRange: 0.3f),
        ["smollm3"] = new SmolLm3Config(Vocabulary, 48, 80, 3, 4, 2, MaxPositionEmbeddings: Context, NoRopeLayers: [1, 0, 1], InitializerRange: 0.3f),
        ["starcoder2"] = new Starcoder2Config(Vocabulary, 48, 80, 2, 4, 2, MaxPositionEmbeddings: Context, SlidingWindow: 7, InitializerRange: 0.3f),
    };

    /// <summary>Every architecture that has a small model, of whatever kind.</summary>
    public static IEnumerable<string> All => Configs.Keys;

    /// <summary>Those of them that write.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Configs.Keys.Where(Is<GenerativeModel>)];

    /// <summary>Those of them that are decoders.</summary>
    public static IReadOnlyList<string> Decoders { get; } = [.. Configs.Keys.Where(Is<DecoderModel>)];

    public static ModelConfig Config(string name) => Configs[name];

    public static GenerativeModel Make(string name, Device device) => Make(Configs[name], device);

    public static GenerativeModel Make(ModelConfig config, Device device) =>
        (GenerativeModel)Architectures.Build(config, new Scope(ParameterSource.Random(7), new Workspace(device)));

    public static DecoderModel MakeDecoder(string name, Device device) => (DecoderModel)Make(name, device);

    private static bool Is<T>(string name)
        where T : LanguageModel
    {
        using LanguageModel model = Architectures.Build(Configs[name], new Scope(ParameterSource.Random(7), new Workspace(ReferenceDevice.Instance)));
        return model is T;
    }

    /// <summary>What an encoder reads beside a prompt; null for models without one.</summary>
    public static int[]? Source(GenerativeModel model, int[] prompt) => model is EncoderDecoderModel ? Prompt(7 + (prompt.Length % 40), (ulong)prompt[0]) : null;

    /// <summary>A prompt as a batch of one, with its source.</summary>
    public static TokenBatch Batch(GenerativeModel model, int[] prompt, int[]? tokens = null) =>
        new(tokens ?? prompt) { Source = Source(model, prompt) is { } source ? new TokenBatch(source) : null };

    public static GenerationRequest Request(GenerativeModel model, int[] prompt) => new(prompt) { Source = Source(model, prompt) };

    public static Device Cpu(int threads) => CpuDevice.Create(CpuFeatures.Best, new Workers(threads));

    public static int[] Prompt(int length, ulong key) => [.. Enumerable.Range(0, length).Select(i => CounterRandom.Below(key, i, Vocabulary))];
}
