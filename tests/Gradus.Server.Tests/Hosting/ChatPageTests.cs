// The chat page as a person uses it: in Chromium, against answers that a test has written. Screenshots go to GRADUS_SCREENSHOTS where that is set.
using System.Text;
using Gradus.Server.Catalog;
using Gradus.Testing;
using Microsoft.Playwright;

namespace Gradus.Server.Tests.Hosting;

public sealed class ChatPageTests : IAsyncLifetime
{
    private const string Hostile = """
        <script>window.hacked = 1</script><img src="x" onerror="window.hacked = 2"><svg onload="window.hacked = 3"><a href="javascript:window.hacked=4">a</a></svg>

        [link](javascript:window.hacked=5) <iframe src="https://example.org"></iframe> <form action="https://example.org"><input name="a"></form> ![spy](https://example.org/spy.png)
        <style>body { display: none }</style> <math><mtext><table><mglyph><style><img src=x onerror=window.hacked=6></style></mglyph></table></mtext></math>
        """;

    private readonly List<string> _complaints = [];
    private IPlaywright? _playwright;
    private IBrowser? _browser;
    private RunningServer _server = null!;

    public async Task InitializeAsync()
    {
        _server = await RunningServer.Start(null, new ModelSource("scripted", _ => new ServedModel(new ScriptedModel(Answer))), new ModelSource("slow", _ => new ServedModel(new ScriptedModel(_ => new string('a', 4000), TimeSpan.FromMilliseconds(20)))));
        if (ChromiumFactAttribute.Executable is not { } chromium)
            return;
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions
        {
            ExecutablePath = chromium,
            Headless = true,
            Args = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        });
    }

    public async Task DisposeAsync()
    {
        if (_browser is not null)
            await _browser.DisposeAsync();
        _playwright?.Dispose();
        await _server.DisposeAsync();
    }

    [ChromiumFact]
    public async Task AnswersAreWrittenEditedAndBranch()
    {
        IPage page = await Open();
        await Ask(page, "code");
        Assert.Equal("let x = 1;", (await page.TextContentAsync(".assistant pre code"))!.Trim());
        Assert.Equal(1, await page.Locator(".assistant pre .hljs-keyword").CountAsync());
        Assert.Equal(1, await page.Locator(".assistant table td").CountAsync());
        Assert.Equal(1, await page.Locator(".assistant .copycode").CountAsync());
        await page.ClickAsync(".assistant .tools button:has-text('Again')");
        await page.WaitForSelectorAsync(".assistant .tools:has-text('2 / 2')");
        await page.ClickAsync(".assistant .tools button:has-text('‹')");
        await page.WaitForSelectorAsync(".assistant .tools:has-text('1 / 2')");
        await page.ClickAsync(".user .tools button:has-text('Edit')");
        await page.FillAsync(".edit", "hello");
        await page.ClickAsync(".user .tools button:has-text('Send')");
        await page.WaitForSelectorAsync(".assistant:has-text('You said hello')");
        Assert.Contains("2 / 2", await page.InnerTextAsync(".user .tools"));
        await Screenshot(page, "branches");
        // All of it is there again after the page was left.
        await page.ReloadAsync();
        await page.WaitForSelectorAsync(".assistant:has-text('You said hello')");
        Assert.Empty(_complaints);
    }

    [ChromiumFact]
    public async Task TokensShowHowProbableTheyWereAndForkTheAnswer()
    {
        IPage page = await Open();
        await Ask(page, "hello");
        await page.ClickAsync(".assistant .tools button:has-text('Tokens')");
        await page.HoverAsync(".token >> nth=1");
        await page.WaitForSelectorAsync("#alternatives");
        await Screenshot(page, "tokens");
        await page.ClickAsync("#alternatives button:has-text('ELSE')");
        await page.WaitForSelectorAsync(".assistant .tools:has-text('2 / 2')");
        Assert.StartsWith("You ELSE", await page.InnerTextAsync(".assistant .body"));
        await page.ClickAsync(".assistant .tools button:has-text('Replay')");
        await page.WaitForSelectorAsync(".assistant .tools:has-text('3 / 3')");
        Assert.Contains("seed 7", await page.InnerTextAsync(".assistant .facts"));
        Assert.Empty(_complaints);
    }

    [ChromiumFact]
    public async Task AHostileAnswerDoesNotRun()
    {
        IPage page = await Open();
        List<string> asked = [];
        page.Request += (_, request) => asked.Add(request.Url);
        await Ask(page, "hostile");
        await page.WaitForTimeoutAsync(200);
        Assert.True(await page.EvaluateAsync<bool>("window.hacked === undefined"));
        Assert.Equal(0, await page.Locator(".assistant :is(script, iframe, form, img, svg, style, math)").CountAsync());
        Assert.Equal(0, await page.Locator(".assistant [href^='javascript' i]").CountAsync());
        Assert.All(asked, url => Assert.StartsWith(_server.Server.Address.ToString(), url));
        Assert.True(await page.IsVisibleAsync("#input"));
        // A bomb of nested Markdown is drawn, slowly or not, and the page goes on.
        await Ask(page, "bomb");
        await Ask(page, "hello");
        // The browser tells what it found, and did not run, while the answer was taken apart in a document of its own.
        Assert.All(_complaints, c => Assert.Contains("violates the following Content Security Policy directive", c));
    }

    [ChromiumFact]
    public async Task AnAnswerCanBeStopped()
    {
        IPage page = await Open();
        await page.SelectOptionAsync("#model", "slow");
        await page.FillAsync("#input", "go on");
        await page.PressAsync("#input", "Enter");
        await page.WaitForFunctionAsync("() => document.querySelector('.assistant .body')?.textContent.length > 20");
        await page.ClickAsync("#send");
        await page.WaitForSelectorAsync(".assistant .facts:has-text('stopped')");
        int length = (await page.InnerTextAsync(".assistant .body")).Length;
        Assert.InRange(length, 20, 3000);
        Assert.Empty(_complaints);
    }

    [ChromiumFact]
    public async Task AThousandMessagesOpenAtOnce()
    {
        IPage page = await Open();
        StringBuilder nodes = new();
        for (int i = 0; i < 1000; i++)
            nodes.Append(i == 0 ? "" : ",").Append($$"""
                "n{{i}}": {"role": "{{(i % 2 == 0 ? "user" : "assistant")}}", "content": "message {{i}} with **bold** and `code`", "parent": {{(i == 0 ? "null" : $"\"n{i - 1}\"")}} }
                """);
        string file = Path.Combine(Directory.CreateTempSubdirectory("gradus-page-").FullName, "c.json");
        await File.WriteAllTextAsync(file, $$"""{"conversations": [{"id": "long", "title": "Long", "changed": 1, "nodes": { {{nodes}} }, "leaf": "n999"}, {"id": "short", "title": "Short", "changed": 2, "nodes": {}, "leaf": null}]}""");
        await page.SetInputFilesAsync("#file", file);
        await page.WaitForSelectorAsync("#list .title:has-text('Short')");
        await page.ClickAsync("#list .title:has-text('Short')");
        double milliseconds = await page.EvaluateAsync<double>("""
            async () => {
              const begun = performance.now();
              [...document.querySelectorAll('#list .title')].find(t => t.textContent === 'Long').click();
              await new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)));
              return performance.now() - begun;
            }
            """);
        Assert.Equal(1000, await page.Locator(".message").CountAsync());
        Assert.InRange(milliseconds, 0, 5000);
        if (Environment.GetEnvironmentVariable("GRADUS_SCREENSHOTS") is { Length: > 0 } folder)
            await File.WriteAllTextAsync(Path.Combine(folder, "thousand.txt"), $"{milliseconds:0.0} ms");
        await File.WriteAllTextAsync(file, """{"conversations": [{"id": "x", "nodes": {"a": {"role": "king", "content": 1}}}]}""");
        await page.SetInputFilesAsync("#file", file);
        await page.WaitForSelectorAsync("#notice:has-text('Nothing was imported')");
        Assert.Empty(_complaints);
    }

    [ChromiumFact]
    public async Task FitsAPhoneInTheDark()
    {
        IPage light = await Open(), page = await Open(390, ColorScheme.Dark);
        const string Background = "getComputedStyle(document.body).backgroundColor";
        Assert.NotEqual(await light.EvaluateAsync<string>(Background), await page.EvaluateAsync<string>(Background));
        await Ask(page, "code");
        Assert.Equal(390, await page.EvaluateAsync<int>("document.documentElement.scrollWidth"));
        await Screenshot(page, "phone");
        await page.ClickAsync("#settings");
        await page.FillAsync("#panel textarea >> nth=0", "Be brief.");
        await page.ClickAsync("#openside");
        Assert.True(await page.IsVisibleAsync("#list .title"));
        await Screenshot(light, "light");
        Assert.Empty(_complaints);
    }

    private static string Answer(string asked) => asked switch
    {
        "code" => "Some **code**:\n\n```js\nlet x = 1;\n```\n\n| a |\n|---|\n| b |\n",
        "hostile" => Hostile,
        "bomb" => string.Concat(Enumerable.Repeat("> ", 400)) + "deep\n\n" + string.Concat(Enumerable.Range(0, 100).Select(i => $"{new string(' ', 2 * i)}- x\n")) + new string('*', 2000) + new string('[', 2000),
        _ when asked.EndsWith("ELSE", StringComparison.Ordinal) => " and so on",
        _ => $"You said {asked}",
    };

    private static async Task Ask(IPage page, string text)
    {
        int before = await page.Locator(".assistant .facts").CountAsync();
        await page.FillAsync("#input", text);
        await page.PressAsync("#input", "Enter");
        await page.WaitForFunctionAsync("n => document.querySelectorAll('.assistant .facts').length > n && document.getElementById('send').textContent === 'Send'", before);
    }

    private static async Task Screenshot(IPage page, string name)
    {
        if (Environment.GetEnvironmentVariable("GRADUS_SCREENSHOTS") is { Length: > 0 } folder)
            await page.ScreenshotAsync(new PageScreenshotOptions { Path = Path.Combine(folder, $"{name}.png") });
    }

    private async Task<IPage> Open(int width = 1200, ColorScheme colours = ColorScheme.Light)
    {
        IPage page = await _browser!.NewPageAsync(new BrowserNewPageOptions { ViewportSize = new ViewportSize { Width = width, Height = 800 }, ColorScheme = colours });
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
                _complaints.Add(message.Text);
        };
        page.PageError += (_, error) => _complaints.Add(error);
        await page.GotoAsync(_server.Server.Address.ToString());
        await page.WaitForSelectorAsync("#model option", new PageWaitForSelectorOptions { State = WaitForSelectorState.Attached });
        return page;
    }
}
