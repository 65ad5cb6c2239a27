using System.Text.Json.Serialization;

namespace Gradus.Models;

/// <summary>The hyperparameters of an architecture, with the names of Hugging Face's config.json.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "model_type")]
[JsonDerivedType(typeof(Gpt2Config), "gpt2")]
[JsonDerivedType(typeof(LlamaConfig), "llama")]
public abstract record ModelConfig
{
    /// <summary>The number of token ids.</summary>
    [JsonIgnore]
    public abstract int Vocabulary { get; }

    /// <summary>The longest sequence, in tokens.</summary>
    [JsonIgnore]
    public abstract int ContextLength { get; }

    /// <summary>The class that transformers loads such a model with.</summary>
    [JsonIgnore]
    public abstract string ArchitectureClass { get; }

    /// <summary>This configuration with another number of token ids: a recipe leaves it to the tokenizer.</summary>
    public abstract ModelConfig WithVocabulary(int vocabulary);

    /// <summary>What is wrong with the values, one line each, naming the key; empty when all is well.</summary>
    public abstract IEnumerable<string> Problems();

    private protected static string? AtLeast(string key, long value, long least) =>
        value < least ? $"{key}: must be at least {least}, but is {value}." : null;

    private protected static string? Divides(string key, int part, string wholeKey, int whole) =>
        part > 0 && whole % part != 0 ? $"{key}: {part} does not divide {wholeKey} {whole}." : null;
}
