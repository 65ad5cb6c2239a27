using System.CommandLine;
using System.ComponentModel.DataAnnotations;
using System.Reflection;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Gradus.Cli.Console;

namespace Gradus.Cli.Stages;

/// <summary>
/// One stage in the life of a model. A stage is one file: the record of its recipe, which says what its verb is and how it runs, and the code that
/// runs it. The line here registers it: recipes of several stages, the verb, the schema and the report know it then.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(SmallWorldRecipe), "small_world")]
[JsonDerivedType(typeof(TokenizerRecipe), "tokenizer")]
[JsonDerivedType(typeof(PretrainRecipe), "pretrain")]
[JsonDerivedType(typeof(FinetuneRecipe), "finetune")]
[JsonDerivedType(typeof(AlignRecipe), "align")]
[JsonDerivedType(typeof(DistillRecipe), "distill")]
[JsonDerivedType(typeof(QuantizeRecipe), "quantize")]
[JsonDerivedType(typeof(EvaluateRecipe), "evaluate")]
public abstract record StageRecipe
{
    private static readonly JsonDerivedTypeAttribute[] Registered = [.. typeof(StageRecipe).GetCustomAttributes<JsonDerivedTypeAttribute>(inherit: false)];

    /// <summary>The stage's name in the report.</summary>
    public string Title { get; init; } = "";

    /// <summary>One or two sentences for the report: what the stage is for.</summary>
    public string What { get; init; } = "";

    /// <summary>The folder of the run. In a pipeline <c>$run</c> stands for the pipeline's folder.</summary>
    [MinLength(1)]
    public string Run { get; init; } = "";

    /// <summary>Every registered stage with its usual values.</summary>
    internal static IReadOnlyList<StageRecipe> All { get; } = [.. Registered.Select(a => (StageRecipe)Activator.CreateInstance(a.DerivedType)!)];

    /// <summary>The stage's name: its <c>kind</c> in recipes, and its verb.</summary>
    internal string Kind => (string)Registered.First(a => a.DerivedType == GetType()).TypeDiscriminator!;

    /// <summary>The recipe's metadata.</summary>
    internal JsonTypeInfo Metadata => RecipeJson.Default.GetTypeInfo(GetType())!;

    /// <summary>What the stage does, in one line of help.</summary>
    internal abstract string Summary { get; }

    /// <summary>Whether the verb takes a model and data without a recipe.</summary>
    internal virtual bool RunsWithoutRecipe => false;

    /// <summary>The recipe that suits a model and data.</summary>
    /// <param name="model">The model, where one is given.</param>
    /// <param name="data">Files, at least one.</param>
    /// <param name="context">The command line.</param>
    /// <exception cref="InvalidDataException">Model or data cannot be read, or the stage does not take them.</exception>
    internal virtual StageRecipe Choose(string? model, string[] data, StageContext context) =>
        throw new InvalidDataException($"{Kind}: there is no recipe to choose for this stage; write one.");

    /// <summary>Refuses a stage without a model.</summary>
    private protected string Needed(string? model) => model ?? throw new InvalidDataException($"{Kind}: MODEL is missing; give a model's folder, a run's, a GGUF file, or a name on the hub.");

    /// <summary>What the run will take, to be counted; null where the stage is not planned.</summary>
    internal virtual Func<StageContext, PlannedTraining>? Planned => null;

    /// <summary>Runs the stage.</summary>
    internal abstract StageResult Execute(StageContext context);

    /// <summary>The command line that does the same.</summary>
    /// <param name="recipe">The path of the resolved recipe that the run keeps.</param>
    internal virtual string CommandLine(string recipe) => $"gradus {Kind} {recipe}";

    /// <summary>The keys, with all below them, in which a run that goes on may differ from how it was started.</summary>
    internal virtual IReadOnlyList<string> MayChange => ["title", "what", "run"];

    /// <summary>Whether the stage has a verb that runs a recipe of its own.</summary>
    internal virtual bool HasRecipeVerb => true;

    /// <summary>The stage's verb; null where another verb does the same.</summary>
    internal virtual Command? CreateVerb(CommandContext context) => !HasRecipeVerb ? null
        : RecipeVerb.Create(context, Kind, Summary, Metadata, this, (recipe, stage) => ((StageRecipe)recipe).Execute(stage).Finished);
}
