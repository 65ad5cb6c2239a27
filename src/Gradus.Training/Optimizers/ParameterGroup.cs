using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;
using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Training.Optimizers;

/// <summary>Parameters that are trained otherwise than the rest.</summary>
/// <param name="LearningRateFactor">Multiplies the learning rate; 0 leaves the parameters as they are.</param>
public sealed record ParameterGroup([Range(0.0, double.PositiveInfinity)] double LearningRateFactor = 1)
{
    /// <summary>Names, in which <c>*</c> stands for anything and <c>?</c> for one character; or, between slashes, regular expressions that match a part of a name.</summary>
    [MinLength(1)]
    public string[] Parameters { get; init; } = [];

    /// <summary>Their optimizer; null for the run's.</summary>
    public OptimizerOptions? Optimizer { get; init; }

    /// <summary>Whether a pattern of this group matches a name.</summary>
    public bool Matches(string name) => Parameters.Any(p => Matches(p, name));

    /// <summary>Whether a pattern matches a name.</summary>
    /// <exception cref="InvalidDataException">The regular expression is wrong.</exception>
    internal static bool Matches(string pattern, string name)
    {
        string expression = pattern.Length > 1 && pattern[0] == '/' && pattern[^1] == '/'
            ? pattern[1..^1]
            : $"^{Regex.Escape(pattern).Replace("\\*", ".*", StringComparison.Ordinal).Replace("\\?", ".", StringComparison.Ordinal)}$";
        try
        {
            return Regex.IsMatch(name, expression, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new InvalidDataException($"training.groups: {pattern} is no regular expression: {e.Message}", e);
        }
    }
}

/// <summary>How one parameter is updated.</summary>
/// <param name="Parameter">The parameter.</param>
/// <param name="Rules">The parts of its optimizer.</param>
/// <param name="LearningRate">Its learning rate before the schedule.</param>
/// <param name="Sign">−1 to climb the gradient.</param>
public sealed record ParameterPlan(Parameter Parameter, IReadOnlyList<UpdateRule> Rules, double LearningRate, float Sign = 1)
{
    /// <summary>The plan of a parameter under one optimizer.</summary>
    public static ParameterPlan Of(Parameter parameter, OptimizerOptions optimizer, ParameterUse use, double factor = 1)
    {
        ArgumentNullException.ThrowIfNull(optimizer);
        return new ParameterPlan(parameter, optimizer.Rules(use), optimizer.RateOf(use) * factor, optimizer.Maximize ? -1 : 1);
    }

    /// <summary>The plans of parameters under one optimizer, by their shapes alone.</summary>
    public static IReadOnlyList<ParameterPlan> Of(IEnumerable<Parameter> parameters, OptimizerOptions optimizer) =>
        [.. parameters.Select(p => Of(p, optimizer, p.Shape.Rank < 2 ? ParameterUse.Vector : ParameterUse.Matrix))];

    /// <summary>The plans of a model's parameters: each belongs to the first group that names it, or to the run's optimizer.</summary>
    /// <param name="model">The model.</param>
    /// <param name="parameters">Those to train.</param>
    /// <param name="optimizer">The run's optimizer.</param>
    /// <param name="groups">Groups, in order.</param>
    /// <exception cref="InvalidDataException">A pattern names no parameter that is trained.</exception>
    public static IReadOnlyList<ParameterPlan> Of(LanguageModel model, IReadOnlyList<Parameter> parameters, OptimizerOptions optimizer, IReadOnlyList<ParameterGroup> groups)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(parameters);
        ArgumentNullException.ThrowIfNull(optimizer);
        ArgumentNullException.ThrowIfNull(groups);
        foreach (string pattern in groups.SelectMany(g => g.Parameters))
        {
            if (!parameters.Any(p => ParameterGroup.Matches(pattern, p.Name)))
                throw new InvalidDataException($"training.groups: {pattern} names none of the {parameters.Count} parameters that are trained: {string.Join(", ", parameters.Take(3).Select(p => p.Name))}, …; gradus inspect lists them.");
        }
        Dictionary<Parameter, ParameterUse> uses = Uses(model);
        return [.. parameters.Select(p =>
        {
            ParameterGroup? group = groups.FirstOrDefault(g => g.Matches(p.Name));
            ParameterUse use = p.Shape.Rank < 2 ? ParameterUse.Vector : uses.GetValueOrDefault(p, ParameterUse.Matrix);
            return Of(p, group?.Optimizer ?? optimizer, use, group?.LearningRateFactor ?? 1);
        })];
    }

    private static Dictionary<Parameter, ParameterUse> Uses(LanguageModel model)
    {
        Dictionary<Parameter, ParameterUse> uses = [];
        foreach (Linear linear in model.Parts.Linears)
        {
            if (linear.Weight is DenseWeight weight)
            {
                uses[weight.Parameter] = weight.Outputs == model.Config.Vocabulary ? ParameterUse.Table
                    : weight.Layout == WeightLayout.InOut ? ParameterUse.TransposedMatrix
                    : ParameterUse.Matrix;
            }
        }
        foreach (Embedding embedding in model.Parts.Embeddings.Where(e => e.Packed is null))
            uses[embedding.Table] = ParameterUse.Table;
        return uses;
    }
}
