using Gradus.Files.Gguf.Families;

namespace Gradus.Files.Gguf;

/// <summary>The families of models that GGUF is converted from and to. Where one architecture serves several, the most particular comes first.</summary>
internal static class GgufFamilies
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<GgufFamily> All { get; } =
    [
        new RobertaFamily(),
        new BertFamily(),
        new BloomFamily(),
        new FalconFamily(),
        new GemmaFamily(),
        new Gemma2Family(),
        new Gemma3Family(),
        new Gpt2Family(),
        new GptNeoXFamily(),
        new MixtralFamily(),
        new LlamaFamily("llama", "llama", "LlamaForCausalLM"),
        new MistralFamily(),
        new SmolLm3Family(),
        new Olmo2Family(),
        new PhiFamily(),
        new Phi3Family(),
        new QwenFamily("qwen2", "qwen2", "Qwen2ForCausalLM"),
        new QwenFamily("qwen3", "qwen3", "Qwen3ForCausalLM"),
        new QwenMoeFamily("qwen2_moe", "qwen2moe", "Qwen2MoeForCausalLM", normalizes: false),
        new QwenMoeFamily("qwen3_moe", "qwen3moe", "Qwen3MoeForCausalLM", normalizes: true),
        new StarCoder2Family(),
        new T5Family(),
    ];

    /// <summary>The family of a checkpoint.</summary>
    /// <exception cref="InvalidDataException">GGUF has no such family.</exception>
    public static GgufFamily OfCheckpoint(HyperParameters config)
    {
        string type = config.Text("model_type") ?? throw Malformed.File(config.Place, "model_type is missing; it says which model this is.");
        return All.FirstOrDefault(f => f.ModelType == type)
            ?? throw Malformed.File(config.Place, $"model_type {Malformed.Quote(type)} has no form in GGUF here; those that have one are {string.Join(", ", All.Select(f => f.ModelType).Order(StringComparer.Ordinal))}.");
    }

    /// <summary>The family of a GGUF file.</summary>
    /// <param name="metadata">Its metadata.</param>
    /// <param name="place">What errors call it.</param>
    /// <param name="modelType">The model type that its writer noted, or null.</param>
    /// <exception cref="InvalidDataException">It is of none that is known.</exception>
    public static GgufFamily OfFile(GgufMetadata metadata, string place, string? modelType)
    {
        if (!metadata.TryGet("general.architecture", out string? architecture))
            throw Malformed.File(place, "has no general.architecture, which says what model this is; get it again.");
        GgufFamily[] known = [.. All.Where(f => f.Architecture == architecture)];
        return known.FirstOrDefault(f => f.ModelType == modelType)
            ?? known.FirstOrDefault(f => f.Reads(metadata))
            ?? throw Malformed.File(place, $"the architecture {Malformed.Quote(architecture)} is not supported; supported are {string.Join(", ", All.Select(f => f.Architecture).Distinct().Order(StringComparer.Ordinal))}.");
    }
}
