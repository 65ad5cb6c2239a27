using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Gradus.Applications.Python;
using Gradus.Bundle;
using Gradus.Evaluation.Metrics;
using Gradus.Text;
using Gradus.Training.Alignment;
using Gradus.Training.Data;

namespace Gradus.Cli.Stages;

/// <summary>What scores answers. Several are added up by their weights; one of weight 0 is only logged, which shows whether the policy learns the reward rather than the task.</summary>
/// <param name="Name">Its name in the log; its kind where empty.</param>
/// <param name="Weight">What it counts in the sum.</param>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(RegexRewardRecipe), "regex")]
[JsonDerivedType(typeof(SchemaRewardRecipe), "schema")]
[JsonDerivedType(typeof(WordsRewardRecipe), "words")]
[JsonDerivedType(typeof(ExpectedRewardRecipe), "expected")]
[JsonDerivedType(typeof(OverlapRewardRecipe), "overlap")]
[JsonDerivedType(typeof(ProgramRewardRecipe), "program")]
[JsonDerivedType(typeof(ModelRewardRecipe), "model")]
public abstract record RewardRecipe(string Name, double Weight)
{
    /// <summary>Makes the reward.</summary>
    /// <exception cref="InvalidDataException">A pattern, file or model is wrong.</exception>
    internal abstract RewardSource Make(RewardSetting setting);

    /// <summary>The name, or a usual one.</summary>
    private protected string NameOr(string usual) => Name.Length > 0 ? Name : usual;
}

/// <summary>What rewards are made for.</summary>
/// <param name="Prompts">The prompts by their number.</param>
/// <param name="Tokenizer">The policy's tokenizer.</param>
/// <param name="Context">The command line.</param>
internal sealed record RewardSetting(IReadOnlyList<AnswerPrompt> Prompts, Tokenizer Tokenizer, StageContext Context)
{
    /// <summary>Rewards as recipes say.</summary>
    public IReadOnlyList<RewardSource> Make(IReadOnlyList<RewardRecipe> recipes)
    {
        List<RewardSource> made = [];
        try
        {
            foreach (RewardRecipe recipe in recipes)
                made.Add(recipe.Make(this));
            return made;
        }
        catch
        {
            Free(made);
            throw;
        }
    }

    /// <summary>Frees the models of rewards.</summary>
    public static void Free(IEnumerable<RewardSource> rewards)
    {
        foreach (IDisposable model in rewards.OfType<IDisposable>())
            model.Dispose();
    }
}

/// <summary>1 where a regular expression matches a part of the answer.</summary>
/// <param name="Name">Its name in the log.</param>
/// <param name="Weight">What it counts in the sum.</param>
/// <param name="Pattern">The expression.</param>
public sealed record RegexRewardRecipe(string Name = "", double Weight = 1, string Pattern = "") : RewardRecipe(Name, Weight)
{
    internal override RewardSource Make(RewardSetting setting) => new TextReward(NameOr("regex"), Weight, setting.Prompts, setting.Tokenizer, TextRules.Matches(Pattern));
}

/// <summary>1 where the answer is JSON of a schema.</summary>
/// <param name="Name">Its name in the log.</param>
/// <param name="Weight">What it counts in the sum.</param>
/// <param name="File">The schema's file.</param>
public sealed record SchemaRewardRecipe(string Name = "", double Weight = 1, [MinLength(1)] string File = "") : RewardRecipe(Name, Weight)
{
    internal override RewardSource Make(RewardSetting setting) =>
        new TextReward(NameOr("schema"), Weight, setting.Prompts, setting.Tokenizer, TextRules.FitsSchema(TextFiles.ReadAll(setting.Context.Files([File])[0])));
}

/// <summary>1 where the answer has a number of words between two bounds, less outside.</summary>
/// <param name="Name">Its name in the log.</param>
/// <param name="Weight">What it counts in the sum.</param>
/// <param name="Least">The fewest words.</param>
/// <param name="Most">The most words.</param>
public sealed record WordsRewardRecipe(string Name = "", double Weight = 1, [Range(0, int.MaxValue)] int Least = 1, [Range(1, int.MaxValue)] int Most = 100) : RewardRecipe(Name, Weight)
{
    internal override RewardSource Make(RewardSetting setting) => Least > Most
        ? throw new InvalidDataException($"rewards: words: least ({Least}) is above most ({Most}).")
        : new TextReward(NameOr("words"), Weight, setting.Prompts, setting.Tokenizer, TextRules.HasWords(Least, Most));
}

/// <summary>1 where the answer is the expected one of its record: the text, or the last number.</summary>
/// <param name="Name">Its name in the log.</param>
/// <param name="Weight">What it counts in the sum.</param>
public sealed record ExpectedRewardRecipe(string Name = "", double Weight = 1) : RewardRecipe(Name, Weight)
{
    internal override RewardSource Make(RewardSetting setting) => new TextReward(NameOr("expected"), Weight, setting.Prompts, setting.Tokenizer, TextRules.IsExpected);
}

/// <summary>The overlap with the expected answer, ROUGE-L from 0 to 1.</summary>
/// <param name="Name">Its name in the log.</param>
/// <param name="Weight">What it counts in the sum.</param>
public sealed record OverlapRewardRecipe(string Name = "", double Weight = 1) : RewardRecipe(Name, Weight)
{
    internal override RewardSource Make(RewardSetting setting) =>
        new TextReward(NameOr("overlap"), Weight, setting.Prompts, setting.Tokenizer, TextRules.Scores(Rouge.L(stem: false)));
}

/// <summary>1 where the program in the answer prints the expected answer, or leaves it in the variable solution; the interpreter gives it nothing of the machine.</summary>
/// <param name="Name">Its name in the log.</param>
/// <param name="Weight">What it counts in the sum.</param>
/// <param name="Steps">Turns of loops and calls that a program may make.</param>
public sealed partial record ProgramRewardRecipe(string Name = "", double Weight = 1, [Range(1, long.MaxValue)] long Steps = 1_000_000) : RewardRecipe(Name, Weight)
{
    internal override RewardSource Make(RewardSetting setting) => new TextReward(NameOr("program"), Weight, setting.Prompts, setting.Tokenizer, Score);

    private double Score(AnswerPrompt prompt, string answer)
    {
        string program = Block().Match(answer) is { Success: true } block ? block.Groups["code"].Value : answer;
        PythonResult result = Interpreter.Run(program, new PythonOptions(Steps: Steps, MemoryBytes: 64L << 20, OutputCharacters: 1 << 14), resultVariable: "solution");
        return result.Error is null ? TextRules.IsExpected(prompt, result.Result ?? result.Output) : 0;
    }

    [GeneratedRegex(@"```(?:python|py)?\s*\n(?<code>.*?)```", RegexOptions.Singleline | RegexOptions.CultureInvariant)]
    private static partial Regex Block();
}

/// <summary>The number of a reward model, or the probability of one of a classifier's classes.</summary>
/// <param name="Name">Its name in the log.</param>
/// <param name="Weight">What it counts in the sum.</param>
/// <param name="Model">The model's folder or run.</param>
/// <param name="Label">The class of a classifier; null for a reward model.</param>
public sealed record ModelRewardRecipe(string Name = "", double Weight = 1, [MinLength(1)] string Model = "", string? Label = null) : RewardRecipe(Name, Weight)
{
    internal override RewardSource Make(RewardSetting setting)
    {
        ModelBundle judge = setting.Context.OpenModel(Model, ModelBundleOptions.ToRun);
        try
        {
            return new ModelReward(NameOr("model"), Weight, judge, Label, setting.Prompts, setting.Tokenizer);
        }
        catch
        {
            judge.Dispose();
            throw;
        }
    }
}
