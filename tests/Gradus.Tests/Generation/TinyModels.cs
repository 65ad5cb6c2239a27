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

    /// <summary>Those of them that are decoders.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Configs.Keys.Where(IsDecoder)];

    public static ModelConfig Config(string name) => Configs[name];

    public static DecoderModel Make(string name, Device device) => Make(Configs[name], device);

    public static DecoderModel Make(ModelConfig config, Device device) =>
        (DecoderModel)Architectures.Build(config, new Scope(ParameterSource.Random(7), new Workspace(device)));

    private static bool IsDecoder(string name)
    {
        using LanguageModel model = Architectures.Build(Configs[name], new Scope(ParameterSource.Random(7), new Workspace(ReferenceDevice.Instance)));
        return model is DecoderModel;
    }

    public static Device Cpu(int threads) => CpuDevice.Create(CpuFeatures.Best, new Workers(threads));

    public static int[] Prompt(int length, ulong key) => [.. Enumerable.Range(0, length).Select(i => CounterRandom.Below(key, i, Vocabulary))];
}
