using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;
using Gradus.Cli.Configuration;

namespace Gradus.Cli.Tests.Configuration;

/// <summary>How numbers are held.</summary>
public enum Precision
{
    Fp32,
    [JsonStringEnumMemberName("bf16")]
    BrainFloat,
    Int8Dynamic,
}

/// <summary>A sample of everything a recipe may hold.</summary>
public sealed record SampleRecipe
{
    /// <summary>A number that is not the same twice.</summary>
    public long Seed { get; init; } = 42;

    /// <summary>How the model is trained.</summary>
    public TrainingOptions Training { get; init; } = new();

    /// <summary>The update rule.</summary>
    public Optimizer Optimizer { get; init; } = new AdamW();

    /// <summary>Extra weights, or none.</summary>
    public Lora? Adapter { get; init; }

    /// <summary>A second rule, or none.</summary>
    public Optimizer? Fallback { get; init; }

    /// <summary>Where text comes from.</summary>
    public Source[] Sources { get; init; } = [];

    /// <summary>Rules by layer.</summary>
    public IReadOnlyDictionary<string, Optimizer> ByLayer { get; init; } = new Dictionary<string, Optimizer>();

    /// <summary>Shares of tasks.</summary>
    [Range(0, 1)]
    public Dictionary<string, double> Mix { get; init; } = new() { ["code"] = 0.25, ["prose"] = 0.75 };

    /// <summary>Never read from JSON.</summary>
    public int Tokens => Training.Steps * Training.BatchSize;

    [JsonIgnore]
    public int Ignored { get; init; } = 7;
}

/// <summary>How the model is trained.</summary>
/// <param name="Steps">How many updates, of <see cref="BatchSize"/> examples each.</param>
/// <param name="BatchSize">Examples per update.</param>
/// <param name="Warmup">Updates before the full rate.</param>
/// <param name="Precision">How numbers are held.</param>
/// <param name="Clip">The largest norm of a gradient, or null for none.</param>
/// <param name="Resume">Whether to go on from a checkpoint.</param>
/// <param name="Name">What the run is called, or null.</param>
public sealed record TrainingOptions(
    [Range(1, int.MaxValue)] int Steps = 1000,
    [Range(1, 4096)] int BatchSize = 8,
    int Warmup = 10,
    Precision Precision = Precision.Fp32,
    [Range(0, double.PositiveInfinity, MinimumIsExclusive = true)] float? Clip = 1,
    bool Resume = false,
    string? Name = null) : IValidatableObject
{
    public TimeSpan SaveEvery { get; init; } = TimeSpan.FromMinutes(10);

    public Precision? Compute { get; init; }

    public byte Level { get; init; } = 3;

    public int[] Milestones { get; init; } = [100, 200];

    [MinLength(1)]
    public string[] Tags { get; init; } = ["a"];

    public JsonElement Extra { get; init; } = JsonElement.Parse("{\"free\": 1}");

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Warmup > Steps)
            yield return new ValidationResult($"is {Warmup}, more than the {Steps} steps", [nameof(Warmup)]);
        if (Name == "all wrong")
            yield return new ValidationResult("has a name that says so");
    }
}

/// <summary>An update rule.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(AdamW), "adamw")]
[JsonDerivedType(typeof(Muon), "muon")]
[JsonDerivedType(typeof(Chain), "chain")]
public abstract record Optimizer;

/// <summary>Adam with decoupled weight decay.</summary>
/// <param name="LearningRate">The step size.</param>
/// <param name="Betas">The decay rates.</param>
public sealed record AdamW(
    [Range(0.0, 1.0, MinimumIsExclusive = true)] float LearningRate = 3e-4f,
    [Range(0.0, 1.0, MaximumIsExclusive = true)] float[]? Betas = null) : Optimizer;

/// <summary>Orthogonal momentum.</summary>
public sealed record Muon : Optimizer
{
    /// <summary>The step size.</summary>
    public double LearningRate { get; init; } = 0.02;

    public double Momentum { get; init; } = 0.95;

    public Lora Inner { get; init; } = new(Rank: 2);
}

/// <summary>One rule after the other.</summary>
public sealed record Chain : Optimizer
{
    public IReadOnlyList<Optimizer> Parts { get; init; } = [new Muon()];
}

/// <summary>Low-rank weights.</summary>
public sealed record Lora([Range(1, 1024)] int Rank, string Target = "all")
{
    public double Alpha { get; init; } = 16;
}

/// <summary>One text.</summary>
public sealed record Source([MinLength(1)] string Path)
{
    public double Weight { get; init; } = 1;

    public required int Shards { get; init; }

    public string? Split { get; init; } = "train";
}

/// <summary>A record that checks its values itself, as no other here does.</summary>
public sealed record Strict
{
    public int Even
    {
        get;
        init => field = value % 2 == 0 ? value : throw new ArgumentException($"{value} is odd.");
    }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Strict, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    AllowOutOfOrderMetadataProperties = true, Converters = [typeof(SnakeCaseEnum<Precision>)])]
[JsonSerializable(typeof(SampleRecipe))]
[JsonSerializable(typeof(Strict))]
public sealed partial class SampleContext : JsonSerializerContext;

/// <summary>Short forms of the calls under test.</summary>
internal static class Sample
{
    public static SampleRecipe Resolve(string recipe, params string[] overrides)
    {
        return ConfigurationTree.Resolve(SampleContext.Default.SampleRecipe, new SampleRecipe(), recipe, "r.json", overrides);
    }

    public static string[] Problems(string recipe, params string[] overrides)
    {
        ConfigurationException e = Assert.Throws<ConfigurationException>(() => Resolve(recipe, overrides));
        Assert.Equal(e.Message, string.Join('\n', e.Problems));
        return [.. e.Problems];
    }

    public static string Problem(string recipe, params string[] overrides) => Assert.Single(Problems(recipe, overrides));

    public static string Json(SampleRecipe value) => ConfigurationTree.ToJson(SampleContext.Default.SampleRecipe, value);
}
