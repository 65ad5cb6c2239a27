using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Models;

/// <summary>The hyperparameters of an architecture, with the names of Hugging Face's config.json.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "model_type")]
[JsonDerivedType(typeof(BartConfig), "bart")]
[JsonDerivedType(typeof(BertConfig), "bert")]
[JsonDerivedType(typeof(BloomConfig), "bloom")]
[JsonDerivedType(typeof(DistilBertConfig), "distilbert")]
[JsonDerivedType(typeof(ElectraConfig), "electra")]
[JsonDerivedType(typeof(FalconConfig), "falcon")]
[JsonDerivedType(typeof(GemmaConfig), "gemma")]
[JsonDerivedType(typeof(Gemma2Config), "gemma2")]
[JsonDerivedType(typeof(Gemma3TextConfig), "gemma3_text")]
[JsonDerivedType(typeof(Gpt2Config), "gpt2")]
[JsonDerivedType(typeof(GptNeoXConfig), "gpt_neox")]
[JsonDerivedType(typeof(GptJConfig), "gptj")]
[JsonDerivedType(typeof(LlamaConfig), "llama")]
[JsonDerivedType(typeof(MistralConfig), "mistral")]
[JsonDerivedType(typeof(MixtralConfig), "mixtral")]
[JsonDerivedType(typeof(Olmo2Config), "olmo2")]
[JsonDerivedType(typeof(OptConfig), "opt")]
[JsonDerivedType(typeof(PhiConfig), "phi")]
[JsonDerivedType(typeof(Phi3Config), "phi3")]
[JsonDerivedType(typeof(Qwen2Config), "qwen2")]
[JsonDerivedType(typeof(Qwen2MoeConfig), "qwen2_moe")]
[JsonDerivedType(typeof(Qwen3Config), "qwen3")]
[JsonDerivedType(typeof(Qwen3MoeConfig), "qwen3_moe")]
[JsonDerivedType(typeof(RnnLmConfig), "rnn_lm")]
[JsonDerivedType(typeof(RobertaConfig), "roberta")]
[JsonDerivedType(typeof(SmolLm3Config), "smollm3")]
[JsonDerivedType(typeof(Starcoder2Config), "starcoder2")]
[JsonDerivedType(typeof(T5Config), "t5")]
[JsonDerivedType(typeof(XLNetConfig), "xlnet")]
[OnlyUsual("add_cross_attention", "false")]
[OnlyUsual("tie_encoder_decoder", "false")]
[OnlyUsual("pruned_heads", "{}")]
public abstract record ModelConfig : IValidatableObject
{
    /// <summary>The context of architectures that have no longest one: tokens enough for anybody, and buffers of that size still fit.</summary>
    private protected const int UnlimitedContext = 1 << 20;

    private readonly string? _architecture;

    /// <summary>The number of token ids.</summary>
    [JsonIgnore]
    public abstract int Vocabulary { get; }

    /// <summary>The longest sequence, in tokens.</summary>
    [JsonIgnore]
    public abstract int ContextLength { get; }

    /// <summary>The class that transformers usually loads such a model with.</summary>
    [JsonIgnore]
    public abstract string ArchitectureClass { get; }

    /// <summary>
    /// The class of this very model, which says what head it has: <c>architectures</c> of config.json;
    /// <see cref="ArchitectureClass"/> where nothing else is set.
    /// </summary>
    [JsonIgnore]
    public string Architecture
    {
        get => _architecture ?? ArchitectureClass;
        init => _architecture = value;
    }

    /// <summary>The classes that a classifier or a tagger chooses from.</summary>
    [JsonIgnore]
    public LabelSet Labels { get; init; } = LabelSet.Default;

    /// <summary>Builds the model from the parameters of a scope; without its language-model head where the class is a classifier's.</summary>
    internal abstract LanguageModel Build(Scope scope);

    /// <summary>Whether the output layer is the token table.</summary>
    internal bool TiesHead => GetType().GetProperty("TieWordEmbeddings")?.GetValue(this) is true;

    /// <summary>This configuration with another number of token ids: a recipe leaves it to the tokenizer.</summary>
    public abstract ModelConfig WithVocabulary(int vocabulary);

    /// <summary>What methods of fine-tuning with few parameters usually change; null where nothing is usual.</summary>
    [JsonIgnore]
    public virtual UsualTargets? UsualTargets => null;

    /// <summary>The same model with a head of its own instead of the token table, and the factor of the table's values in it; null where there is no such form.</summary>
    internal virtual (ModelConfig Config, float HeadScale)? Untie() => null;

    /// <summary>What is wrong with the values, each with the property it is about; empty when all is well.</summary>
    public abstract IEnumerable<ValidationResult> Validate(ValidationContext validationContext);

    // A configuration is untrusted: tables are made by its numbers before a checkpoint can contradict them, and sizes are multiplied. These
    // are far beyond any model.
    private protected const int MostParts = 1 << 15;
    private const int MostColumns = 1 << 22;
    private const int LongestContext = 1 << 30;

    /// <summary>A problem if a number of layers, of heads, or of columns of a head is too small or absurd.</summary>
    private protected static ValidationResult? CountOf(string property, long value, long least) => Between(property, value, least, MostParts);

    /// <summary>A problem if a width, or a number of rows of a table, is too small or absurd.</summary>
    private protected static ValidationResult? AtLeast(string property, long value, long least) => Between(property, value, least, MostColumns);

    /// <summary>A problem if a context is too short or absurd, for which no table is made.</summary>
    private protected static ValidationResult? ContextOf(string property, long value) => Between(property, value, 1, LongestContext);

    private static ValidationResult? Between(string property, long value, long least, long most) =>
        value < least ? new ValidationResult($"must be at least {least}, but is {value}", [property])
        : value > most ? new ValidationResult($"must be at most {most}, but is {value}", [property])
        : null;

    private protected static ValidationResult? Probability(string property, float probability) =>
        probability is >= 0 and < 1 ? null : new ValidationResult($"is a probability, at least 0 and under 1, but is {probability}", [property]);

    private protected static ValidationResult? Divides(string property, int part, int whole, string what) =>
        part > 0 && whole % part != 0 ? new ValidationResult($"{part} does not divide {what} {whole}", [property]) : null;

    private protected static ValidationResult? Knows(string property, string activation) =>
        activation is not null && Activations.IsKnown(activation) ? null : new ValidationResult($"the activation {JsonValue.Create(activation)?.ToJsonString() ?? "null"} is not known; use another model", [property]);

    private protected static ValidationResult? Rotates(string property, int rotary, int width) =>
        rotary < 0 || rotary % 2 != 0 || rotary > width ? new ValidationResult($"rotary positions turn pairs of a head's {width} values, but {rotary} are to be turned", [property]) : null;

    private protected static ValidationResult? Scales(string property, RopeScaling? scaling, int rotary) =>
        scaling?.Problem(rotary) is { } problem ? new ValidationResult(problem, [property]) : null;
}
