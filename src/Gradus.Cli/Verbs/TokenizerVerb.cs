using System.CommandLine;
using Gradus.Cli.Console;
using Gradus.Text;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus tokenizer</c>: its four verbs.</summary>
internal static class TokenizerVerb
{
    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context) => new("tokenizer", "Train a tokenizer, use one, or look into one.")
    {
        TokenizerTrainVerb.Create(context),
        TokenizerEncodeVerb.Create(context),
        TokenizerDecodeVerb.Create(context),
        TokenizerInspectVerb.Create(context),
    };

    /// <summary>The argument that names a tokenizer.</summary>
    public static Argument<string> Argument() => new("TOKENIZER")
    {
        Description = "A folder with tokenizer.json, a tokenizer file of any format, a model's folder or a run's.",
    };

    /// <summary>Opens what the argument names.</summary>
    /// <exception cref="UsageException">There is no tokenizer.</exception>
    public static Tokenizer Open(string path)
    {
        if (File.Exists(path))
            return Tokenizer.Load(path);
        if (!Directory.Exists(path))
            throw new UsageException($"{path}: no such file or folder; give a tokenizer, or the folder of a model.");
        try
        {
            return Tokenizer.Load(path);
        }
        catch (FileNotFoundException e)
        {
            return ModelFolder.IsModel(path) ? ModelFolder.Find(path).OpenTokenizer() : throw new UsageException(e.Message);
        }
    }
}
