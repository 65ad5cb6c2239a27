using System.CommandLine;
using Gradus.Cli.Configuration;
using Gradus.Cli.Console;
using Gradus.Files;
using Gradus.Tensors.Cpu;

namespace Gradus.Cli.Stages;

/// <summary><c>gradus init</c>: a commented recipe for a given model and data, to be read, changed and run.</summary>
internal static class InitVerb
{
    /// <summary>Makes the verb.</summary>
    public static Command Create(CommandContext context)
    {
        StageRecipe[] kinds = [.. StageRecipe.All.Where(s => s.HasRecipeVerb)];
        Argument<string> kind = new("KIND") { Description = $"The recipe: {string.Join(", ", kinds.Select(k => k.Kind))}." };
        Argument<string?> model = new("MODEL") { Description = "The model's folder, file or name; pretrain makes a new one without it.", Arity = ArgumentArity.ZeroOrOne };
        Option<string[]> data = DataOption();
        data.Required = true;
        Option<string?> output = new("--output", "-o") { Description = "The recipe to write; KIND.json without it.", HelpName = "FILE" };
        Option<bool> fetch = new("--fetch") { Description = "Fetch named data sets that are missing, without a question." };
        Verb verb = new("init", "Write a commented recipe for a given model and data.")
        {
            Arguments = { kind, model },
            Options = { data, output, fetch },
            Examples =
            [
                ("init finetune my-model --data chat.jsonl", "writes finetune.json; run it with gradus finetune finetune.json"),
                ("init pretrain --data text.txt -o first.json", "a recipe for a new model of characters"),
            ],
        };
        verb.SetAction(parse =>
        {
            string name = parse.GetRequiredValue(kind);
            StageRecipe stage = kinds.FirstOrDefault(k => k.Kind == name)
                ?? throw new UsageException($"there is no recipe {ConfigurationNode.Quote(name)}; {KeySuggestion.For(name, kinds.Select(k => k.Kind), "recipes")}");
            string path = parse.GetValue(output) ?? $"{name}.json";
            if (Path.Exists(path))
                throw new UsageException($"{path}: is there already; choose another file with -o FILE.");
            StageContext here = new(context, Json: false, Resume: false, CpuDevice.Default) { Data = new NamedData(context, parse.GetValue(fetch)) };
            StageRecipe chosen = stage.Choose(parse.GetValue(model), parse.GetRequiredValue(data), here);
            AtomicFile.WriteAllText(path, CommentedRecipe.Write(chosen.Metadata, chosen, $"gradus {name} {path}"));
            context.Out.WriteLine($"{path}: written; read it, change it, then: gradus {name} {path}");
            return ExitCode.Done;
        });
        return verb;
    }

    /// <summary>The option that names data.</summary>
    public static Option<string[]> DataOption() => new("--data")
    {
        Description = "The data; repeat it for more files.",
        HelpName = "FILE",
    };
}
