using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;

namespace Gradus.Models;

/// <summary>The hyperparameters of an architecture, with the names of Hugging Face's config.json.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "model_type")]
[JsonDerivedType(typeof(Gpt2Config), "gpt2")]
[JsonDerivedType(typeof(LlamaConfig), "llama")]
public abstract record ModelConfig : IValidatableObject
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

    /// <summary>What is wrong with the values, each with the property it is about; empty when all is well.</summary>
    public abstract IEnumerable<ValidationResult> Validate(ValidationContext validationContext);

    private protected static ValidationResult? AtLeast(string property, long value, long least) =>
        value < least ? new ValidationResult($"must be at least {least}, but is {value}", [property]) : null;

    private protected static ValidationResult? Dropout(string property, float probability) =>
        probability is >= 0 and < 1 ? null : new ValidationResult($"is a probability, at least 0 and under 1, but is {probability}", [property]);

    private protected static ValidationResult? Divides(string property, int part, int whole, string what) =>
        part > 0 && whole % part != 0 ? new ValidationResult($"{part} does not divide {what} {whole}", [property]) : null;
}
