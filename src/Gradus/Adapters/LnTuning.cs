using Gradus.Models;
using Gradus.Nn;
using Gradus.Tensors;

namespace Gradus.Adapters;

/// <summary>
/// LN tuning (Qi et al., "Parameter-Efficient Tuning on Layer Normalization for Pre-trained Language Models", 2022; Zhao et al.,
/// "Tuning LayerNorm in Attention", 2023): only gains and biases of the norms are trained.
/// </summary>
/// <param name="TargetModules">The norms; all of the model where null.</param>
/// <param name="ExcludeModules">Norms that are not trained though they are targets.</param>
/// <param name="ModulesToSave">Ends of the paths of modules that are trained as a whole beside the norms.</param>
/// <param name="TaskType">What the model is for; only handed on.</param>
/// <param name="BaseModelNameOrPath">Where the base model comes from; only handed on.</param>
/// <param name="InferenceMode">Whether PEFT is to load it frozen.</param>
public sealed record LnTuningConfig(
    ModuleNames? TargetModules = null,
    ModuleNames? ExcludeModules = null,
    IReadOnlyList<string>? ModulesToSave = null,
    string? TaskType = "CAUSAL_LM",
    string? BaseModelNameOrPath = null,
    bool InferenceMode = false)
    : TunerConfig(TargetModules, ExcludeModules, ModulesToSave, TaskType, BaseModelNameOrPath, InferenceMode)
{
    /// <inheritdoc/>
    public override Adapter Adapt(Linear layer, Scope place)
    {
        ArgumentNullException.ThrowIfNull(layer);
        throw new InvalidDataException($"target_modules: {layer.Path} is no norm; take it out, or name it in modules_to_save.");
    }

    internal override PeftConfig Resolve(LanguageModel model) => TargetModules is not null
        ? this
        : this with { TargetModules = new ModuleNames([.. Norms(model).Select(n => n.Path[(n.Path.LastIndexOf('.') + 1)..]).Distinct().Order(StringComparer.Ordinal)]) };

    internal override void Build(AdapterParts parts)
    {
        int trained = 0;
        foreach ((Parameter parameter, string path) in Norms(parts.Model))
        {
            if (parts.IsSaved(path) || !Targets(path))
                continue;
            trained++;
            parts.Train(parameter, "target_modules", $"{path}.ln_tuning_layers.{parameter.Name[(path.Length + 1)..]}");
        }
        if (trained == 0)
            throw new InvalidDataException($"target_modules: \"{TargetModules}\" names no norm of the model with gains; it has {(Norms(parts.Model).Any() ? string.Join(", ", Norms(parts.Model).Select(n => n.Path).Distinct().Take(8)) : "none")}.");
    }

    // Vectors that belong to no linear layer.
    private static IEnumerable<(Parameter Parameter, string Path)> Norms(LanguageModel model)
    {
        HashSet<string> layers = [.. model.Parts.Linears.Select(l => l.Path)];
        foreach (Parameter parameter in model.Parameters.Where(p => !p.IsBuffer && p.Shape.Rank == 1))
        {
            string path = parameter.Name[..Math.Max(0, parameter.Name.LastIndexOf('.'))];
            if (path.Length > 0 && !layers.Contains(path) && parameter.Name[(path.Length + 1)..] is "weight" or "bias")
                yield return (parameter, path);
        }
    }
}
