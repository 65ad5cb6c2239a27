using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using Gradus.Bundle;
using Gradus.Cli.Console;
using Gradus.Generation;
using Gradus.Tensors.Cpu;
using Gradus.Text.Chat;

namespace Gradus.Cli.Verbs;

/// <summary><c>gradus chat</c>: a conversation in the terminal, or one message per line from a pipe.</summary>
internal static class ChatVerb
{
    private const string Help =
        """"
        /reset             forget what was said
        /undo              forget the last message and its answer
        /regenerate        answer the last message again
        /system TEXT       set the system message; without a text: none
        /set NAME VALUE    change a setting; without a name: list them
        /save FILE         write the conversation
        /load FILE         go on with a conversation that was written
        /exit              end; so do Ctrl-D, and Ctrl-C when no answer is on its way
        A message of several lines: end a line with \, or begin and end with """.
        """";

    private static readonly Argument<string> Source = new("MODEL") { Description = "A model's folder, a run's or an adapter's; it must have a chat template." };

    private static readonly Option<string?> SystemMessage = new("--system") { Description = "The system message: what the model is told first.", HelpName = "TEXT" };

    private static readonly Option<string> Overflow = OverflowOption.Create(OverflowPolicy.TruncateLeft, "What becomes of a conversation that is too long: the oldest messages are forgotten, or it is refused.");

    private static readonly Option<string?> PrefixCache = PrefixCacheFile.Option();

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object per answer." };

    private static readonly Option<string?> Base = ModelFolder.BaseOption();

    /// <summary>Makes the command.</summary>
    public static Command Create(CommandContext context)
    {
        Verb verb = new("chat", "Talk with a model. In a pipe every line is a message.") { Source, SystemMessage };
        SamplingArguments sampling = new(verb, maxTokens: 512);
        verb.Options.Add(Overflow);
        verb.Options.Add(PrefixCache);
        verb.Options.Add(Base);
        verb.Options.Add(Json);
        verb.Examples =
        [
            ("chat runs/quickstart/5-lora", "talks in the terminal; /help lists what one can type"),
            ("chat my-model --system \"Answer in one sentence.\" < questions.txt", "answers every line of a file, each after those before it"),
        ];
        verb.SetAction(parse => Run(context, parse, sampling.Read(parse)));
        return verb;
    }

    private static int Run(CommandContext context, ParseResult parse, TextSampling sampling)
    {
        using ModelBundle bundle = ModelFolder.Open(parse.GetRequiredValue(Source), CpuDevice.Default, ModelBundleOptions.ToRun with { WritesText = true }, parse.GetValue(Base), context.Cancellation);
        using ChatSession session = new(bundle, sampling, parse.GetValue(SystemMessage), OverflowOption.Read(parse, Overflow));
        string? kept = parse.GetValue(PrefixCache);
        PrefixCacheFile.Load(session.Engine, kept);
        int code = Talk(context, parse, session, bundle);
        PrefixCacheFile.Save(session.Engine, kept);
        return code;
    }

    private static int Talk(CommandContext context, ParseResult parse, ChatSession session, ModelBundle bundle)
    {
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(context.Cancellation);
        ChatLoop loop = new(context, session, parse.GetValue(Json), end);
        if (!context.InputIsTerminal)
        {
            using StreamReader input = new(context.OpenInput(), new UTF8Encoding(false, throwOnInvalidBytes: true));
            return loop.Run(() => ReadPiped(input));
        }
        context.Error.WriteLine($"{bundle.Model.Config.Architecture}, {bundle.Model.ParameterCount:N0} parameters, context {bundle.ContextLength:N0} tokens. /help lists commands.");
        using IDisposable interrupts = context.Interrupts.Handle(loop.Interrupt);
        return loop.Run(() => ReadTyped(context, end.Token));
    }

    private static string? ReadPiped(StreamReader input)
    {
        try
        {
            return input.ReadLine();
        }
        catch (DecoderFallbackException)
        {
            throw new InvalidDataException("standard input: not UTF-8 text; convert it first (iconv -t UTF-8).");
        }
    }

    // A read from the terminal cannot be cancelled, but left to itself: the process ends without it.
    private static string? ReadTyped(CommandContext context, CancellationToken end)
    {
        context.Error.Write("> ");
        try
        {
            Task<string?> line = Task.Run(System.Console.ReadLine, CancellationToken.None);
            line.Wait(end);
            if (line.Result is null)
                context.Error.WriteLine();
            return line.Result;
        }
        catch (OperationCanceledException)
        {
            context.Error.WriteLine();
            return null;
        }
    }

    /// <summary>Reads, answers, prints.</summary>
    private sealed class ChatLoop(CommandContext context, ChatSession session, bool json, CancellationTokenSource end)
    {
        private volatile CancellationTokenSource? _answer;

        /// <summary>Ctrl-C: ends the answer on its way, or else the conversation.</summary>
        public void Interrupt()
        {
            CancellationTokenSource target = _answer ?? end;
            target.Cancel();
        }

        /// <summary>Goes on until the input ends.</summary>
        public int Run(Func<string?> read)
        {
            while (!end.IsCancellationRequested && ReadMessage(read) is { } line)
            {
                if (string.IsNullOrWhiteSpace(line))
                    continue;
                if (line.StartsWith('/'))
                {
                    if (!Command(line.Trim()))
                        break;
                    continue;
                }
                Answer(cancel => session.Ask(line, Show, cancel));
            }
            return ExitCode.Done;
        }

        // A line, those that end with a backslash with what follows, or all between two marks.
        private static string? ReadMessage(Func<string?> read)
        {
            const string Mark = "\"\"\"";
            if (read() is not { } line)
                return null;
            if (line.TrimStart().StartsWith(Mark, StringComparison.Ordinal))
            {
                List<string> lines = [line.TrimStart()[Mark.Length..]];
                while (!lines[^1].TrimEnd().EndsWith(Mark, StringComparison.Ordinal) && read() is { } next)
                    lines.Add(next);
                string all = string.Join('\n', lines).TrimEnd();
                return (all.EndsWith(Mark, StringComparison.Ordinal) ? all[..^Mark.Length] : all).Trim('\n');
            }
            while (line.EndsWith('\\') && read() is { } more)
                line = line[..^1] + "\n" + more;
            return line;
        }

        private void Answer(Func<CancellationToken, ChatAnswer?> ask)
        {
            // Not disposed: an interrupt may reach for it at the last moment.
            CancellationTokenSource cancel = CancellationTokenSource.CreateLinkedTokenSource(end.Token);
            _answer = cancel;
            ChatAnswer answer;
            try
            {
                if (ask(cancel.Token) is not { } given)
                {
                    context.Note("nothing was said yet.");
                    return;
                }
                answer = given;
            }
            catch (Exception e) when (context.InputIsTerminal && e is UsageException or ChatTemplateException)
            {
                context.Note(Failures.OneLine(e.Message));
                return;
            }
            finally
            {
                _answer = null;
            }
            if (json)
            {
                context.WriteJsonLine(new JsonObject
                {
                    ["role"] = "assistant",
                    ["content"] = answer.Text,
                    ["tokens"] = answer.Written.Ids.Length,
                    ["finish"] = answer.Reason,
                    ["forgotten_messages"] = answer.Forgotten,
                    ["cached_tokens"] = answer.Written.CachedTokens,
                    ["timing"] = new JsonObject
                    {
                        ["first_token_seconds"] = answer.Written.Timing!.Value.FirstTokenSeconds,
                        ["prefill_tokens_per_second"] = answer.Written.Timing.Value.PrefillRate,
                        ["decode_tokens_per_second"] = answer.Written.Timing.Value.DecodeRate,
                    },
                });
                return;
            }
            context.Out.WriteLine();
            context.Out.Flush();
            if (context.ErrorIsTerminal && answer.Reason is "context_full" or "max_tokens" or "cancelled")
                context.Note($"the answer was cut off ({answer.Reason.Replace('_', ' ')}).");
        }

        private void Show(string part)
        {
            if (json)
                return;
            TerminalText.Write(context, part);
            context.Out.Flush();
        }

        // False to end the conversation.
        private bool Command(string line)
        {
            string[] words = line.Split(' ', 2, StringSplitOptions.TrimEntries);
            string rest = words.Length > 1 ? words[1] : "";
            switch (words[0])
            {
                case "/exit" or "/quit":
                    return false;
                case "/undo":
                    if (!session.Undo())
                        context.Note("nothing was said yet.");
                    break;
                case "/regenerate":
                    Answer(cancel => session.AskAgain(Show, cancel));
                    break;
                case "/set":
                    Try(() => Set(rest));
                    break;
                case "/save":
                    Try(() => session.Save(PathOf(rest)));
                    break;
                case "/load":
                    Try(() => Load(PathOf(rest)));
                    break;
                case "/reset":
                    session.Reset();
                    break;
                case "/system":
                    session.SystemMessage = rest.Length > 0 ? rest : null;
                    break;
                case "/help":
                    context.Error.WriteLine(Help.ReplaceLineEndings("\n"));
                    break;
                default:
                    context.Note(Failures.OneLine($"there is no command {words[0]}; /help lists them."));
                    break;
            }
            return true;
        }

        private void Set(string rest)
        {
            if (rest.Length == 0)
            {
                foreach (string line in ChatSettings.All(session.Sampling))
                    context.Error.WriteLine(line);
                return;
            }
            string[] parts = rest.Split([' ', '='], 2, StringSplitOptions.TrimEntries);
            session.Sampling = ChatSettings.Change(session.Sampling, parts[0], parts.Length > 1 ? parts[1] : "");
        }

        private void Load(string path)
        {
            int messages = session.Load(path);
            if (context.InputIsTerminal)
                context.Note($"{messages} messages.");
        }

        private static string PathOf(string path) => path.Length > 0 ? path : throw new UsageException("give a file: /save FILE, /load FILE.");

        // In the terminal a mistake is said and the conversation goes on; a pipe ends with it.
        private void Try(Action action)
        {
            try
            {
                action();
            }
            catch (Exception e) when (context.InputIsTerminal && e is (UsageException or IOException or InvalidDataException or UnauthorizedAccessException))
            {
                context.Note(Failures.OneLine(e.Message));
            }
        }
    }
}
