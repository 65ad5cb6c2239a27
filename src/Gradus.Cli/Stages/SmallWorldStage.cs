using System.CommandLine;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Gradus.Cli.Console;
using Gradus.Tensors.Cpu;
using Gradus.Training.Data.SmallWorld;
using Gradus.Training.Runs;

namespace Gradus.Cli.Stages;

/// <summary>Write the small world: generated stories, dialogues with summaries, instructions, and conversations.</summary>
public sealed record SmallWorldRecipe : StageRecipe
{
    /// <summary>Which texts are drawn.</summary>
    [Range(0, long.MaxValue)]
    public long Seed { get; init; } = 1;

    /// <summary>Stories, dialogues and instructions to train on.</summary>
    [Range(1, 100_000)]
    public int Stories { get; init; } = 20_000;

    /// <inheritdoc cref="Stories"/>
    [Range(1, 100_000)]
    public int Dialogues { get; init; } = 6_000;

    /// <inheritdoc cref="Stories"/>
    [Range(1, 100_000)]
    public int Instructions { get; init; } = 6_000;

    /// <summary>Conversations with the model itself to train on.</summary>
    [Range(1, 20_000)]
    public int Conversations { get; init; } = 4_000;

    /// <summary>Texts of each kind in the validation and the test part.</summary>
    [Range(1, 10_000)]
    public int HeldOut { get; init; } = 300;

    internal override string Summary => "Write generated stories, dialogues with summaries, instructions, and conversations to learn from.";

    internal override string CommandLine(string recipe) =>
        $"gradus small-world -o {Run} --seed {Seed} --stories {Stories} --dialogues {Dialogues} --instructions {Instructions} --conversations {Conversations} --held-out {HeldOut}";

    // There is little to choose, and no recipe is needed for it.
    internal override bool HasRecipeVerb => false;

    internal override Command CreateVerb(CommandContext context)
    {
        Option<string> output = new("--output", "-o") { Description = "The folder to write.", HelpName = "FOLDER", Required = true };
        Option<long> seed = Numeric.Option("--seed", "Which texts are drawn.", 0, long.MaxValue, Seed);
        Option<int> stories = Numeric.Option("--stories", "Stories to train on.", 1, 100_000, Stories);
        Option<int> dialogues = Numeric.Option("--dialogues", "Dialogues with summaries to train on.", 1, 100_000, Dialogues);
        Option<int> instructions = Numeric.Option("--instructions", "Instructions to train on.", 1, 100_000, Instructions);
        Option<int> conversations = Numeric.Option("--conversations", "Conversations to train on.", 1, 20_000, Conversations);
        Option<int> heldOut = Numeric.Option("--held-out", "Texts of each kind for validation, and as many for the test.", 1, 10_000, HeldOut);
        Verb verb = new("small-world", Summary)
        {
            Options = { output, seed, stories, dialogues, instructions, conversations, heldOut },
            Examples = [("small-world -o data --stories 1000", "write a small set")],
        };
        verb.SetAction(parse =>
        {
            SmallWorldRecipe asked = new()
            {
                Run = parse.GetRequiredValue(output),
                Seed = parse.GetValue(seed),
                Stories = parse.GetValue(stories),
                Dialogues = parse.GetValue(dialogues),
                Instructions = parse.GetValue(instructions),
                Conversations = parse.GetValue(conversations),
                HeldOut = parse.GetValue(heldOut),
            };
            asked.Execute(new StageContext(context, Json: false, Resume: false, CpuDevice.Default));
            return ExitCode.Done;
        });
        return verb;
    }

    internal override StageResult Execute(StageContext context) => SmallWorldStage.Run(this, context);
}

/// <summary>Writes the generated data that the quickstart learns from.</summary>
internal static class SmallWorldStage
{
    /// <summary>Runs the stage.</summary>
    public static StageResult Run(SmallWorldRecipe recipe, StageContext context)
    {
        using RunFolder run = context.OpenRun(recipe);
        SmallWorldFiles.Write(run.FullPath, (ulong)recipe.Seed, new SmallWorldSizes(
            new SplitSizes(recipe.Stories, recipe.HeldOut, recipe.HeldOut),
            new SplitSizes(recipe.Dialogues, recipe.HeldOut, recipe.HeldOut),
            new SplitSizes(recipe.Instructions, recipe.HeldOut, recipe.HeldOut),
            new SplitSizes(recipe.Conversations, recipe.HeldOut, recipe.HeldOut)));
        RunDescription.Write(run, recipe, recipe.Seed, context.Device);
        context.Say($"data: {recipe.Stories:N0} stories, {recipe.Dialogues:N0} dialogues with summaries, {recipe.Instructions:N0} instructions, {recipe.Conversations:N0} conversations, and {recipe.HeldOut:N0} of each held out twice → {recipe.Run}");
        return new StageResult(run.FullPath,
        [
            ("Stories", recipe.Stories.ToString("N0", CultureInfo.InvariantCulture)),
            ("Dialogues with summaries", recipe.Dialogues.ToString("N0", CultureInfo.InvariantCulture)),
            ("Instructions", recipe.Instructions.ToString("N0", CultureInfo.InvariantCulture)),
            ("Conversations", recipe.Conversations.ToString("N0", CultureInfo.InvariantCulture)),
        ]);
    }
}
