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

    // A second model of each family, with the options the other way round. The name before the slash is the family's.
    private static readonly Dictionary<string, ModelConfig> Variants = new()
    {
        ["bart/2"] = new BartConfig(Vocabulary, MaxPositionEmbeddings: Context, DModel: 48, EncoderLayers: 1, EncoderAttentionHeads: 4, EncoderFfnDim: 80,
            DecoderLayers: 2, DecoderAttentionHeads: 6, DecoderFfnDim: 64, ActivationFunction: "relu", Dropout: 0.2f, ActivationDropout: 0.1f,
            AttentionDropout: 0.1f, EncoderLayerdrop: 0.1f, InitStd: 0.3f, TieWordEmbeddings: false),
        ["bloom/2"] = new BloomConfig(Vocabulary, HiddenSize: 48, NLayer: 2, NHead: 4, SeqLength: Context, ApplyResidualConnectionPostLayernorm: true,
            HiddenDropout: 0.1f, AttentionDropout: 0.1f, InitializerRange: 0.2f, TieWordEmbeddings: false),
        ["falcon/2"] = new FalconConfig(Vocabulary, HiddenSize: 48, NumHiddenLayers: 2, NumAttentionHeads: 4, Bias: true, Activation: "relu",
            MaxPositionEmbeddings: Context, RopeScaling: new RopeScaling("linear", Factor: 2), HiddenDropout: 0.1f, InitializerRange: 0.3f, TieWordEmbeddings: false),
        ["falcon/3"] = new FalconConfig(Vocabulary, HiddenSize: 48, NumHiddenLayers: 2, NumAttentionHeads: 6, MultiQuery: false, ParallelAttn: false,
            Bias: true, Alibi: true, FfnHiddenSize: 72, MaxPositionEmbeddings: Context, InitializerRange: 0.3f),
        ["falcon/4"] = new FalconConfig(Vocabulary, HiddenSize: 48, NumHiddenLayers: 2, NumAttentionHeads: 4, NumLnInParallelAttn: 1, NumKvHeads: 4,
            NewDecoderArchitecture: true, MaxPositionEmbeddings: Context, InitializerRange: 0.3f),
        ["gemma/2"] = new GemmaConfig(Vocabulary, 48, 80, 2, 4, NumKeyValueHeads: 4, HeadDim: 8, HiddenActivation: "gelu", MaxPositionEmbeddings: Context,
            AttentionBias: true, InitializerRange: 0.1f),
        ["gemma2/2"] = new Gemma2Config(Vocabulary, 48, 80, 2, 4, NumKeyValueHeads: 1, HeadDim: 8, MaxPositionEmbeddings: Context, AttentionBias: true,
            QueryPreAttnScalar: 8, SlidingWindow: 5, LayerTypes: [LayerType.FullAttention, LayerType.SlidingAttention], FinalLogitSoftcapping: null,
            AttnLogitSoftcapping: null, InitializerRange: 0.1f),
        ["gemma3_text/2"] = new Gemma3TextConfig(Vocabulary, 48, 80, 2, 4, NumKeyValueHeads: 4, HeadDim: 8, MaxPositionEmbeddings: Context,
            RopeScaling: new RopeScaling("yarn", Factor: 3, OriginalMaxPositionEmbeddings: 32), AttentionBias: true, SlidingWindow: 9, LayerTypes: Mixed,
            FinalLogitSoftcapping: 20, AttnLogitSoftcapping: 10, InitializerRange: 0.1f),
        ["gpt2/2"] = new Gpt2Config(Vocabulary, NPositions: Context, NEmbd: 48, NLayer: 2, NHead: 6, NInner: 72, ActivationFunction: "relu",
            InitializerRange: 0.2f, ScaleAttnWeights: false, ScaleAttnByInverseLayerIdx: true, TieWordEmbeddings: false),
        ["gpt_neox/2"] = new GptNeoXConfig(Vocabulary, 48, 2, 4, 80, "gelu_fast", RotaryPct: 1, RopeScaling: new RopeScaling("linear", Factor: 4), AttentionBias: false,
            UseParallelResidual: false, MaxPositionEmbeddings: Context, HiddenDropout: 0.1f, AttentionDropout: 0.1f, InitializerRange: 0.3f, TieWordEmbeddings: true),
        ["gptj/2"] = new GptJConfig(Vocabulary, Context, NEmbd: 48, NLayer: 2, NHead: 6, RotaryDim: 8, NInner: 72, ActivationFunction: "silu",
            ResidPdrop: 0.1f, EmbdPdrop: 0.1f, AttnPdrop: 0.1f, InitializerRange: 0.3f, TieWordEmbeddings: true),
        ["llama/2"] = new LlamaConfig(Vocabulary, 48, 80, 2, 4, 4, HeadDim: 10, HiddenAct: "gelu", MaxPositionEmbeddings: Context,
            RopeScaling: new RopeScaling("llama3", Factor: 8, OriginalMaxPositionEmbeddings: 32), AttentionBias: true, MlpBias: true, TieWordEmbeddings: true,
            InitializerRange: 0.3f)
        { AttentionDropout = 0.1f, PadTokenId = 0 },
        ["mistral/2"] = new MistralConfig(Vocabulary, 48, 80, 2, 4, 1, MaxPositionEmbeddings: Context, SlidingWindow: null, TieWordEmbeddings: true, InitializerRange: 0.3f),
        ["mixtral/2"] = new MixtralConfig(Vocabulary, 48, 80, 2, 4, 4, HeadDim: 8, MaxPositionEmbeddings: Context, SlidingWindow: 9, NumLocalExperts: 3,
            NumExpertsPerTok: 2, RouterJitterNoise: 0.1f, TieWordEmbeddings: true, InitializerRange: 0.3f),
        ["olmo2/2"] = new Olmo2Config(Vocabulary, 48, 80, 2, 4, 4, HeadDim: 8, MaxPositionEmbeddings: Context, AttentionBias: true,
            RopeScaling: new RopeScaling("yarn", OriginalMaxPositionEmbeddings: 32, Mscale: 0.8, MscaleAllDim: 0.5), TieWordEmbeddings: true, InitializerRange: 0.3f),
        ["opt/2"] = new OptConfig(Vocabulary, 48, 2, 80, 6, "gelu", Context, Dropout: 0.2f, AttentionDropout: 0.1f, InitStd: 0.3f, TieWordEmbeddings: false),
        ["opt/3"] = new OptConfig(Vocabulary, 48, 2, 80, 4, MaxPositionEmbeddings: Context, RemoveFinalLayerNorm: true, EnableBias: false,
            LayerNormElementwiseAffine: false, InitStd: 0.3f),
        ["phi/2"] = new PhiConfig(Vocabulary, 48, 80, 2, 4, MaxPositionEmbeddings: Context, RopeScaling: new RopeScaling("linear", Factor: 2),
            PartialRotaryFactor: 1, ResidPdrop: 0.1f, EmbdPdrop: 0.1f, InitializerRange: 0.3f, TieWordEmbeddings: true),
        ["phi3/2"] = new Phi3Config(Vocabulary, 48, 80, 2, 4, 1, HeadDim: 8, MaxPositionEmbeddings: Context, ResidPdrop: 0.1f, TieWordEmbeddings: true, InitializerRange: 0.3f),
        ["qwen2/2"] = new Qwen2Config(Vocabulary, 48, 80, 2, 4, 1, MaxPositionEmbeddings: Context, RopeScaling: new RopeScaling("yarn", Factor: 4, OriginalMaxPositionEmbeddings: 24),
            UseSlidingWindow: true, SlidingWindow: 9, MaxWindowLayers: 1, TieWordEmbeddings: true, InitializerRange: 0.3f),
        ["qwen2_moe/2"] = new Qwen2MoeConfig(Vocabulary, 48, 80, 2, 4, 4, MaxPositionEmbeddings: Context, QkvBias: false, UseSlidingWindow: true, SlidingWindow: 9,
            MoeIntermediateSize: 24, SharedExpertIntermediateSize: 40, NumExperts: 4, NumExpertsPerTok: 3, NormTopkProb: true, DecoderSparseStep: 2,
            OutputRouterLogits: true, TieWordEmbeddings: true, InitializerRange: 0.3f),
        ["qwen3/2"] = new Qwen3Config(Vocabulary, 48, 80, 2, 4, 1, HeadDim: 8, MaxPositionEmbeddings: Context, AttentionBias: true, UseSlidingWindow: true,
            SlidingWindow: 9, MaxWindowLayers: 1, TieWordEmbeddings: true, InitializerRange: 0.3f),
        ["qwen3_moe/2"] = new Qwen3MoeConfig(Vocabulary, 48, 80, 2, 4, 4, MaxPositionEmbeddings: Context, AttentionBias: true, UseSlidingWindow: true, SlidingWindow: 9,
            MoeIntermediateSize: 24, NumExperts: 4, NumExpertsPerTok: 1, MlpOnlyLayers: [1], TieWordEmbeddings: true, InitializerRange: 0.3f),
        ["smollm3/2"] = new SmolLm3Config(Vocabulary, 48, 80, 2, 4, 4, HeadDim: 8, MaxPositionEmbeddings: Context, AttentionBias: true, MlpBias: true, NoRopeLayerInterval: 2,
            UseSlidingWindow: true, SlidingWindow: 9, TieWordEmbeddings: false, InitializerRange: 0.3f),
        ["starcoder2/2"] = new Starcoder2Config(Vocabulary, 48, 80, 2, 4, 4, "relu", Context, ResidualDropout: 0.1f, EmbeddingDropout: 0.1f, UseBias: false,
            TieWordEmbeddings: false, InitializerRange: 0.3f),
        ["t5/2"] = new T5Config(Vocabulary, DModel: 48, DKv: 16, DFf: 72, NumLayers: 2, NumHeads: 3, RelativeAttentionNumBuckets: 12,
            RelativeAttentionMaxDistance: 20, FeedForwardProj: "gated-silu"),
    };

    /// <summary>Every architecture that has a small model, of whatever kind.</summary>
    public static IEnumerable<string> All => Configs.Keys;

    /// <summary>Those of them that write.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Configs.Keys.Concat(Variants.Keys).Where(Is<GenerativeModel>)];

    /// <summary>Those of them that are decoders.</summary>
    public static IReadOnlyList<string> Decoders { get; } = [.. Names.Where(Is<DecoderModel>)];

    public static ModelConfig Config(string name) => Configs.GetValueOrDefault(name) ?? Variants[name];

    public static GenerativeModel Make(string name, Device device) => Make(Config(name), device);

    public static GenerativeModel Make(ModelConfig config, Device device) =>
        (GenerativeModel)Architectures.Build(config, new Scope(ParameterSource.Random(7), new Workspace(device)));

    public static DecoderModel MakeDecoder(string name, Device device) => (DecoderModel)Make(name, device);

    private static bool Is<T>(string name)
        where T : LanguageModel
    {
        using LanguageModel model = Architectures.Build(Config(name), new Scope(ParameterSource.Random(7), new Workspace(ReferenceDevice.Instance)));
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
