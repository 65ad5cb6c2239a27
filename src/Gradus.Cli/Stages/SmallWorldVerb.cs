using System.CommandLine;
using Gradus.Cli.Console;
using Gradus.Tensors.Cpu;

namespace Gradus.Cli.Stages;

/// <summary><c>gradus small-world</c>: writes the generated data.</summary>
internal static class SmallWorldVerb
{
    /// <summary>Makes the verb.</summary>
    public static Command Create(CommandContext context)
    {
        SmallWorldRecipe usual = new();
        Option<string> output = new("--output", "-o") { Description = "The folder to write.", HelpName = "FOLDER", Required = true };
        Option<long> seed = Numeric.Option("--seed", "Which texts are drawn.", 0, long.MaxValue, usual.Seed);
        Option<int> stories = Numeric.Option("--stories", "Stories to train on.", 1, 100_000, usual.Stories);
        Option<int> dialogues = Numeric.Option("--dialogues", "Dialogues with summaries to train on.", 1, 100_000, usual.Dialogues);
        Option<int> instructions = Numeric.Option("--instructions", "Instructions to train on.", 1, 100_000, usual.Instructions);
        Option<int> conversations = Numeric.Option("--conversations", "Conversations to train on.", 1, 20_000, usual.Conversations);
        Option<int> heldOut = Numeric.Option("--held-out", "Texts of each kind for validation, and as many for the test.", 1, 10_000, usual.HeldOut);
        Verb verb = new("small-world", "Write generated stories, dialogues with summaries, instructions, and conversations to learn from.")
        {
            Options = { output, seed, stories, dialogues, instructions, conversations, heldOut },
            Examples = [("small-world -o data --stories 1000", "write a small set")],
        };
        verb.SetAction(parse =>
        {
            SmallWorldStage.Run(
                new SmallWorldRecipe
                {
                    Run = parse.GetRequiredValue(output),
                    Seed = parse.GetValue(seed),
                    Stories = parse.GetValue(stories),
                    Dialogues = parse.GetValue(dialogues),
                    Instructions = parse.GetValue(instructions),
                    Conversations = parse.GetValue(conversations),
                    HeldOut = parse.GetValue(heldOut),
                },
                new StageContext(context.Out, Json: false, Resume: false, CpuDevice.Default, context.Cancellation));
            return ExitCode.Done;
        });
        return verb;
    }
}
