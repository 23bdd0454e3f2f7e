package conformance

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"aimrtrpc/internal/guard"
)

// Bounds of the control of a program. They say when something hangs, not how fast it must be.
const (
	MaxLineBytes  = 1 << 20          // one line of a program
	AnswerWithin  = 30 * time.Second // one answer of a program
	QuitWithin    = 20 * time.Second // from the last command to the end of a program
	maxShownStder = 600
)

// Program is how a language's reference program is started.
type Program struct {
	Language string
	Command  []string
	Env      []string
}

// process is one running reference program.
type process struct {
	name         string
	command      *exec.Cmd
	logPath      string
	capabilities []string

	mu      sync.Mutex // guards what follows and the writing of commands
	in      io.WriteCloser
	next    int
	waiting map[int]chan answer
	ended   error // why no more answers come
	done    chan struct{}
}

// answer is a program's line.
type answer struct {
	ID    int             `json:"id"`
	OK    json.RawMessage `json:"ok"`
	Error string          `json:"error"`
}

// start runs a program and reads its greeting. Its standard error goes to a file of its name in logs.
func start(p Program, name, logs string) (*process, error) {
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return nil, err
	}
	logPath := filepath.Join(logs, strings.ReplaceAll(name, " ", "-")+".log")
	log, err := os.Create(logPath)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	c := exec.Command(p.Command[0], p.Command[1:]...)
	c.Env = append(os.Environ(), p.Env...)
	c.Stderr = log
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("the %s program does not start: %w", p.Language, err)
	}
	x := &process{name: name, command: c, logPath: logPath, in: in, waiting: map[int]chan answer{}, done: make(chan struct{})}
	greeting := x.expect(0)
	guard.Go("conformance: answers of "+name, func() { x.read(out) })
	var hello struct {
		Language     string   `json:"language"`
		Capabilities []string `json:"capabilities"`
	}
	if err := x.wait(greeting, AnswerWithin, &hello); err != nil {
		x.kill()
		return nil, fmt.Errorf("the %s program does not greet: %w", p.Language, err)
	}
	if hello.Language != p.Language {
		x.kill()
		return nil, fmt.Errorf("%s says it is %q, expected %q", p.Command[0], hello.Language, p.Language)
	}
	x.capabilities = hello.Capabilities
	return x, nil
}

// read hands out the answers until the program ends.
func (x *process) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, MaxLineBytes)
	var why error
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			why = fmt.Errorf("%s wrote a line that is no answer: %.200q", x.name, lines.Text())
			break
		}
		x.mu.Lock()
		if c := x.waiting[a.ID]; c != nil {
			delete(x.waiting, a.ID)
			c <- a
		}
		x.mu.Unlock()
	}
	if why == nil {
		why = lines.Err()
	}
	if why != nil {
		_ = x.command.Process.Kill() // the rest of its output is not understood
	}
	err := x.command.Wait()
	if why == nil {
		why = fmt.Errorf("%s has ended (%v); its standard error ends with: %s", x.name, stateText(err), x.errorTail())
	}
	x.mu.Lock()
	x.ended = why
	for id, c := range x.waiting {
		delete(x.waiting, id)
		c <- answer{Error: why.Error()}
	}
	x.mu.Unlock()
	close(x.done)
}

func stateText(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

func (x *process) errorTail() string {
	text, err := os.ReadFile(x.logPath)
	if err != nil {
		return err.Error()
	}
	if len(text) > maxShownStder {
		text = text[len(text)-maxShownStder:]
	}
	return fmt.Sprintf("%q (%s)", text, x.logPath)
}

// expect prepares for the answer to a command.
func (x *process) expect(id int) chan answer {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := make(chan answer, 1)
	x.waiting[id] = c
	return c
}

// send writes a command; its answer comes through the channel.
func (x *process) send(command map[string]any) (chan answer, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended != nil {
		return nil, x.ended
	}
	x.next++
	command["id"] = x.next
	line, err := json.Marshal(command)
	if err != nil {
		return nil, err
	}
	c := make(chan answer, 1)
	x.waiting[x.next] = c
	if _, err := x.in.Write(append(line, '\n')); err != nil {
		delete(x.waiting, x.next)
		return nil, fmt.Errorf("%s does not read commands: %w", x.name, err)
	}
	return c, nil
}

// wait takes an answer apart.
func (x *process) wait(c chan answer, within time.Duration, into any) error {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case a := <-c:
		switch {
		case a.Error != "":
			return errors.New(a.Error)
		case into == nil:
			return nil
		}
		return json.Unmarshal(a.OK, into)
	case <-timer.C:
		return fmt.Errorf("%s gave no answer within %v", x.name, within)
	}
}

// do sends a command and waits for its answer.
func (x *process) do(command map[string]any, into any) error {
	c, err := x.send(command)
	if err != nil {
		return err
	}
	return x.wait(c, AnswerWithin, into)
}

// alive tells whether the program still answers.
func (x *process) alive() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.ended == nil
}

// quit ends the program in the ordinary way. It is an error when the program leaves something behind, hangs, or ends with another code
// than 0.
func (x *process) quit() error {
	if !x.alive() {
		<-x.done
		return x.ended
	}
	var left map[string]int
	err := x.do(map[string]any{"do": "quit"}, &left)
	_ = x.in.Close()
	select {
	case <-x.done:
	case <-time.After(QuitWithin):
		x.kill()
		return fmt.Errorf("%s did not end within %v after quit", x.name, QuitWithin)
	}
	if err != nil {
		return err
	}
	for what, n := range left {
		if n != 0 {
			return fmt.Errorf("%s leaves %d %s behind", x.name, n, what)
		}
	}
	if code := x.command.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with %s; its standard error ends with: %s", x.name, x.command.ProcessState, x.errorTail())
	}
	return nil
}

func (x *process) kill() {
	_ = x.command.Process.Kill()
	<-x.done
}
