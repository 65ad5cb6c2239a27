using System.Text.Json;
using Gradus.Cli.Console;
using Gradus.Cli.Stages;
using Gradus.Cli.Verbs;

namespace Gradus.Cli.Tests.Verbs;

/// <summary>Every recipe that a verb runs has a schema, by the verb's name.</summary>
public sealed class SchemaVerbTests
{
    private static readonly string[] Names = [.. StageRecipe.All.Where(s => s.HasRecipeVerb).Select(s => s.Kind), "run"];

    public static TheoryData<string> Kinds => [.. Names];

    [Fact]
    public void ListsTheKinds()
    {
        (int code, string output, _) = Run("schema");
        Assert.Equal(0, code);
        Assert.Equal(Names, output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')[0]));
        Assert.Contains("Train a model on text.", output, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void PrintsTheSchemaOfAKind(string kind)
    {
        (int code, string output, _) = Run("schema", kind);
        Assert.Equal(0, code);
        JsonElement schema = JsonDocument.Parse(output).RootElement;
        Assert.Equal(kind == "run" ? "pipelinerecipe" : $"{kind}recipe", schema.GetProperty("title").GetString()!.ToLowerInvariant());
        Assert.True(schema.GetProperty("properties").TryGetProperty("run", out _));
    }

    [Fact]
    public void SuggestsTheNearestKind()
    {
        (int code, _, string error) = Run("schema", "finetnue");
        Assert.Equal(2, code);
        Assert.Contains("did you mean \"finetune\"", error, StringComparison.Ordinal);
    }

    private static (int Code, string Output, string Error) Run(params string[] arguments)
    {
        using StringWriter output = new(), error = new();
        using CommandContext context = new(output, error);
        int code = new Application(context, [SchemaVerb.Create(context)]).Run(arguments);
        return (code, output.ToString(), error.ToString());
    }
}
