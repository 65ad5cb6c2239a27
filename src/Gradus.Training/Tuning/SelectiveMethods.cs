// Methods that train some of the model's own parameters and leave the others as they are. The checkpoint is a whole model.

using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Gradus.Models;
using Gradus.Tensors;
using Gradus.Training.Optimizers;

namespace Gradus.Training.Tuning;

/// <summary>Trains chosen parameters of the model itself.</summary>
public abstract record SelectiveMethod : TuningMethod
{
    /// <inheritdoc/>
    [JsonIgnore]
    public override bool FreezesModel => false;

    /// <inheritdoc/>
    public override Tuning Apply(TuningTarget target, ulong seed)
    {
        ArgumentNullException.ThrowIfNull(target);
        LanguageModel model = target.Model;
        HashSet<Parameter> chosen = [.. Choose(model)];
        if (chosen.Count == 0)
            throw new InvalidDataException($"method: {Nothing(model)}");
        model.SetTrainable(false);
        foreach (Parameter parameter in model.Parameters.Where(p => !p.IsBuffer && (chosen.Contains(p) || IsOfHead(p, target.Heads))))
            parameter.Trainable = true;
        return new Tuning(model);
    }

    /// <summary>The parameters to train.</summary>
    private protected abstract IEnumerable<Parameter> Choose(LanguageModel model);

    /// <summary>What to say where there are none.</summary>
    private protected abstract string Nothing(LanguageModel model);

    private static bool IsOfHead(Parameter parameter, IReadOnlyList<string> heads) =>
        heads.Any(h => parameter.Name.StartsWith($"{h}.", StringComparison.Ordinal) || parameter.Name.Contains($".{h}.", StringComparison.Ordinal));
}

/// <summary>All parameters.</summary>
public sealed record FullMethod : SelectiveMethod
{
    private protected override IEnumerable<Parameter> Choose(LanguageModel model) => model.Parameters.Where(p => !p.IsBuffer);

    private protected override string Nothing(LanguageModel model) => $"a {model.Config.Architecture} has no parameters.";
}

/// <summary>Only the biases (Ben Zaken et al., "BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based Masked Language-models", 2022).</summary>
public sealed record BiasMethod : SelectiveMethod
{
    private protected override IEnumerable<Parameter> Choose(LanguageModel model) =>
        model.Parameters.Where(p => !p.IsBuffer && p.Name.EndsWith(".bias", StringComparison.Ordinal));

    private protected override string Nothing(LanguageModel model) =>
        $"bitfit trains biases, and a {model.Config.Architecture} has none; ln_tuning or lora are small as well.";
}

/// <summary>The last blocks, and what follows them: final norms and, where it is no table of the input, the head.</summary>
/// <param name="Count">Blocks, counted from the end of every stack.</param>
/// <param name="Rest">Whether norms and head behind the blocks are trained too.</param>
public sealed record LastLayersMethod([Range(1, 10_000)] int Count = 1, bool Rest = true) : SelectiveMethod
{
    private static readonly Regex Numbered = new(@"^(?<stack>.*?)\.(?<block>[0-9]+)\.", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture);

    private protected override IEnumerable<Parameter> Choose(LanguageModel model)
    {
        (Parameter Parameter, string? Stack, int Block)[] placed = [.. model.Parameters.Where(p => !p.IsBuffer).Select(Place)];
        Dictionary<string, int> last = placed.Where(p => p.Stack is not null).GroupBy(p => p.Stack!, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Max(p => p.Block), StringComparer.Ordinal);
        HashSet<Parameter> tables = [.. model.Parts.Embeddings.Where(e => e.Packed is null).Select(e => e.Table)];
        return placed.Where(p => p.Stack is { } stack ? p.Block > last[stack] - Count : Rest && last.Count > 0 && !tables.Contains(p.Parameter)).Select(p => p.Parameter);
    }

    private protected override string Nothing(LanguageModel model) => $"last_layers needs blocks with numbers, and a {model.Config.Architecture} has none; name parameters (method.kind parameters).";

    private static (Parameter Parameter, string? Stack, int Block) Place(Parameter parameter)
    {
        Match match = Numbered.Match(parameter.Name);
        return match.Success && int.TryParse(match.Groups["block"].ValueSpan, out int block) ? (parameter, match.Groups["stack"].Value, block) : (parameter, null, 0);
    }
}

/// <summary>The parameters of given names.</summary>
public sealed record ParametersMethod : SelectiveMethod
{
    /// <summary>Names, in which <c>*</c> stands for anything and <c>?</c> for one character; or, between slashes, regular expressions that match a part of a name.</summary>
    [MinLength(1)]
    public string[] Names { get; init; } = [];

    private protected override IEnumerable<Parameter> Choose(LanguageModel model)
    {
        Parameter[] all = [.. model.Parameters.Where(p => !p.IsBuffer)];
        return Names.FirstOrDefault(n => !all.Any(p => ParameterGroup.Matches(n, p.Name))) is { } missing
            ? throw new InvalidDataException($"method.names: {missing} names no parameter of the model, such as {string.Join(", ", all.Take(3).Select(p => p.Name))}; gradus inspect lists them.")
            : all.Where(p => Names.Any(n => ParameterGroup.Matches(n, p.Name)));
    }

    private protected override string Nothing(LanguageModel model) => "names is empty; name the parameters to train.";
}
